import { expect, it } from 'vitest'

import { colorsFor } from '#cli/terminal'

const colored = (isTerminal: boolean | undefined, env: Record<string, string> = {}) =>
  colorsFor(isTerminal, env).red('x') !== 'x'

it('colorsFor() colours a terminal, and nothing else unless asked', () => {
  expect(colored(true)).toBe(true)
  expect(colored(undefined)).toBe(false)
  expect(colored(undefined, { CI: 'true' })).toBe(false)
  expect(colored(true, { TERM: 'dumb' })).toBe(false)
  expect(colored(true, { NO_COLOR: '1' })).toBe(false)
  expect(colored(undefined, { FORCE_COLOR: '1' })).toBe(true)
})
