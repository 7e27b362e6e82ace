import { expect, test } from 'vitest'

import { Wakes } from '#invoker/pool/wakes'

test('nothing is told of what was never woken', () => {
  expect(new Wakes().costs).toEqual({})
})

test('the median is of the last 64, count and total are of all', () => {
  const wakes = new Wakes()
  for (let i = 0; i < 100; i++) wakes.add('paused', 1000)
  for (let ms = 1; ms <= 64; ms++) wakes.add('paused', ms)
  wakes.add('hibernated', 20)
  expect(wakes.costs).toEqual({
    paused: { count: 164, totalMs: 100_000 + (64 * 65) / 2, lastMs: 64, medianMs: 32 },
    hibernated: { count: 1, totalMs: 20, lastMs: 20, medianMs: 20 },
  })
})
