// The last hours of a synthetic trace, to be called live, and what is known of the days before: the histories that the
// platform remembers at its start.
import { ended, type IdleHistory, NO_HISTORY, started } from '#invoker/pool/keep-alive/idle-history'

import type { App, Unit } from '../generate.ts'

export interface LiveApp {
  readonly memoryMB: number
  /** What was learned before. */
  readonly history: IdleHistory
  /** Its calls in these hours, ms from the start of the trace. */
  readonly unit: Unit
}

/** Those that are called from then on. @param apps of one unit each */
export function lastHours(apps: readonly App[], fromMs: number): readonly LiveApp[] {
  return apps.flatMap(({ memoryMB, units: [unit] }) => {
    if (unit === undefined) return []
    const { starts, durationMs } = unit
    const live = starts.filter((start) => start >= fromMs)
    if (live.length === 0) return []
    const history = learn({ starts: starts.slice(0, starts.length - live.length), durationMs }, fromMs)
    return [{ memoryMB, history, unit: { starts: live, durationMs } }]
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
