// The last day of a synthetic trace, to be called live, and what is known of the days before: the histories that the
// platform remembers at its start.
import { ended, type IdleHistory, NO_HISTORY, started } from '#invoker/pool/keep-alive/idle-history'

import type { App, Unit } from '../generate.ts'

export const DAY_MS = 86_400_000

export interface LiveApp {
  readonly memoryMB: number
  /** What was learned before the day. */
  readonly history: IdleHistory
  /** Its calls on the day, ms from the start of the trace. */
  readonly unit: Unit
}

/** Those that are called on the day. @param apps of one unit each */
export function lastDay(apps: readonly App[], days: number): readonly LiveApp[] {
  const from = (days - 1) * DAY_MS
  return apps.flatMap(({ memoryMB, units: [unit] }) => {
    if (unit === undefined) return []
    const { starts, durationMs } = unit
    const today = starts.filter((start) => start >= from)
    if (today.length === 0) return []
    const history = learn({ starts: starts.slice(0, starts.length - today.length), durationMs }, from)
    return [{ memoryMB, history, unit: { starts: today, durationMs } }]
  })
}

/** @param untilMs a call that still runs then counts as ended */
function learn({ starts, durationMs }: Unit, untilMs: number): IdleHistory {
  let history = NO_HISTORY
  let busyUntil = -Infinity
  for (const start of starts) {
    if (start > busyUntil) history = started(history, start)
    busyUntil = Math.max(busyUntil, start + durationMs)
    history = ended(history, Math.min(busyUntil, untilMs))
  }
  return history
}
