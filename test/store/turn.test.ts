import { expect, test } from 'vitest'

import { atEndOfTurn } from '#store/turn'

test('what is asked for while a turn ends is done with it, after what was there, and later turns begin anew', async () => {
  const done: string[] = []
  atEndOfTurn(() => {
    done.push('first')
    atEndOfTurn(() => done.push('asked for on the way'))
  })
  atEndOfTurn(() => done.push('second'))
  await Promise.resolve()
  expect(done).toEqual([])
  await new Promise((resolve) => setImmediate(resolve))
  expect(done).toEqual(['first', 'second', 'asked for on the way'])
  atEndOfTurn(() => done.push('another turn'))
  await new Promise((resolve) => setImmediate(resolve))
  expect(done.at(-1)).toBe('another turn')
})
