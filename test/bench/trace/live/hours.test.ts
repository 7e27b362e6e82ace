import { describe, expect, it } from 'vitest'

import type { App, Unit } from '#bench/trace/generate'
import { lastHours } from '#bench/trace/live/hours'

const DAY_MS = 86_400_000
const MINUTE_MS = 60_000

describe('lastHours()', () => {
  it('takes the calls from then on, and what the days before have taught', () => {
    const starts = [0, 10 * MINUTE_MS, DAY_MS + 5, DAY_MS + 7]
    const [app] = lastHours([appOf({ starts, durationMs: MINUTE_MS })], DAY_MS)
    expect(app!.unit).toEqual({ starts: [DAY_MS + 5, DAY_MS + 7], durationMs: MINUTE_MS })
    expect(app!.history).toMatchObject({ total: 1, outOfBounds: 0, endedAt: 11 * MINUTE_MS })
    expect(app!.history.counts[9]).toBe(1)
  })

  it('ends a call that still runs when they begin', () => {
    const [app] = lastHours([appOf({ starts: [DAY_MS - 1, DAY_MS + 1], durationMs: 10 * MINUTE_MS })], DAY_MS)
    expect(app!.history.endedAt).toBe(DAY_MS)
  })

  it('leaves out apps that are not called any more', () => {
    expect(lastHours([appOf({ starts: [1], durationMs: 1 })], DAY_MS)).toEqual([])
  })
})

function appOf(unit: Unit): App {
  return { kind: 'timer', callsPerDay: 1, memoryMB: 1, units: [unit], spanMs: 2 * DAY_MS, scale: 1 }
}
