import { describe, expect, it } from 'vitest'

import { expectedWindow } from '#invoker/pool/keep-alive/forecast'

const HOUR_MS = 3_600_000

function hours(...values: readonly number[]): number[] {
  return values.map((value) => value * HOUR_MS)
}

describe('expectedWindow()', () => {
  it.each([
    { name: 'one idle time', idleTimes: [24], from: 24 * 0.85, until: 24 * 1.15 },
    { name: 'equal ones', idleTimes: [6, 6, 6], from: 6 * 0.85, until: 6 * 1.15 },
    { name: 'all of a few', idleTimes: [12, 5, 8], from: 5 * 0.85, until: 12 * 1.15 },
    {
      name: 'nine of ten, without the one that is far above',
      idleTimes: [8, 9, 10, 8, 9, 300, 10, 8, 9, 10],
      from: 8 * 0.85,
      until: 10 * 1.15,
    },
    {
      name: 'nine of ten, without the one that is far below',
      idleTimes: [23, 24, 25, 4, 24, 25, 23, 24, 25, 24],
      from: 23 * 0.85,
      until: 25 * 1.15,
    },
    { name: 'no more than 48 h', idleTimes: [5, 100], from: 5 * 0.85, until: 5 * 0.85 + 48 },
  ])('holds $name', ({ idleTimes, from, until }) => {
    const window = expectedWindow(hours(...idleTimes))
    expect(window.fromMs).toBeCloseTo(from * HOUR_MS, 3)
    expect(window.untilMs).toBeCloseTo(until * HOUR_MS, 3)
  })

  it('does not depend on the order of the idle times', () => {
    expect(expectedWindow(hours(9, 5, 7))).toEqual(expectedWindow(hours(5, 7, 9)))
  })
})
