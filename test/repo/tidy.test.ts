import { describe, expect, it } from 'vitest'

import { sources, textOf } from './sources.ts'
import { foldersWithoutHeader, untidy } from './tidy.ts'

const CODE = /^(?:core|store|gateway|invoker|runtimes|functions|cli|scripts|bench|test)\/.*\.(?:ts|mjs|js|cjs|py)$/
// The rules themselves name what they forbid.
const RULES = /^test\/repo\/tidy(?:\.test)?\.ts$/

describe('every source', () => {
  it('keeps the rules of style', () => {
    const checked = sources(CODE).filter(({ path }) => !RULES.test(path))
    expect(checked.length).toBeGreaterThan(20)
    expect(checked.flatMap(untidy)).toEqual([])
  })

  it('lies in a folder of which a file says what it is for', () => {
    const product = sources(/^(?:core|store|gateway|invoker|runtimes|cli|scripts)\/.*\.(?:ts|mjs|js|cjs|py)$/)
    expect(foldersWithoutHeader(product)).toEqual([])
  })
})

describe('untidy() finds', () => {
  it.each([
    ['a note to self', '// TODO later', /issue/],
    ['a bare clock', 'const now = Date.now()', /core\/clock/],
    ['a bare timer', 'setTimeout(() => {}, 5)', /core\/clock/],
    ['a mocked module', "vi.mock('node:fs')", /not mocked/],
    ['an enum', 'enum Color { Red }', /strips types/],
    ['a silent suppression', '// @ts-expect-error', /reason/],
    ['a long file', 'x()\n'.repeat(301), /at most 300/],
  ])('%s', (_, text, rule) => {
    expect(untidy({ path: 'core/planted.ts', text })).toEqual([expect.stringMatching(rule)])
  })

  it('nothing in a suppression with its reason or a note with its issue', () => {
    const text = '// oxlint-disable-next-line no-console -- the banner is output\n// TODO #12 stream it'
    expect(untidy({ path: 'core/planted.ts', text })).toEqual([])
  })
})

describe('the linter', () => {
  it('still caps the size of files, functions and parameter lists', () => {
    const config = textOf('.oxlintrc.json').replaceAll(/^\s*\/\/.*$/gm, '')
    const { rules } = JSON.parse(config) as { rules: Record<string, unknown> }
    expect(rules).toMatchObject({
      'max-lines': ['error', { max: 300 }],
      'max-lines-per-function': ['error', { max: 60 }],
      'max-params': ['error', 4],
      'max-depth': ['error', 3],
      'import/no-cycle': 'error',
      'typescript/no-floating-promises': 'error',
    })
  })
})
