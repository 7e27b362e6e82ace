import { describe, expect, it } from 'vitest'

import type { App, Unit } from '#bench/trace/generate'
import { DAY_MS, lastDay } from '#bench/trace/live/day'

const MINUTE_MS = 60_000

describe('lastDay()', () => {
  it('takes the calls of the last day, and what the days before have taught', () => {
    const starts = [0, 10 * MINUTE_MS, DAY_MS + 5, DAY_MS + 7]
    const [app] = lastDay([appOf({ starts, durationMs: MINUTE_MS })], 2)
    expect(app!.unit).toEqual({ starts: [DAY_MS + 5, DAY_MS + 7], durationMs: MINUTE_MS })
    expect(app!.history).toMatchObject({ total: 1, outOfBounds: 0, endedAt: 11 * MINUTE_MS })
    expect(app!.history.counts[9]).toBe(1)
  })

  it('ends a call that still runs when the day begins', () => {
    const [app] = lastDay([appOf({ starts: [DAY_MS - 1, DAY_MS + 1], durationMs: 10 * MINUTE_MS })], 2)
    expect(app!.history.endedAt).toBe(DAY_MS)
  })

  it('leaves out apps that are not called on it', () => {
    expect(lastDay([appOf({ starts: [1], durationMs: 1 })], 2)).toEqual([])
  })
})

function appOf(unit: Unit): App {
  return { kind: 'timer', callsPerDay: 1, memoryMB: 1, units: [unit], spanMs: 2 * DAY_MS, scale: 1 }
}
