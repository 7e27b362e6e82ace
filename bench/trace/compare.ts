// What a policy costs and saves over a whole trace, and which fixed window costs as much.
import { fixed } from '#invoker/pool/keep-alive/fixed'
import type { KeepAlivePolicy } from '#invoker/pool/keep-alive/policy'

import type { App } from './generate.ts'
import { type Replayed, replay } from './replay.ts'

const MINUTE_MS = 60_000
const HOUR_MS = 60 * MINUTE_MS
const LONGEST_FIXED_MS = 14 * 24 * HOUR_MS
/** What counts as the same waste, relative. */
const SAME_WASTE = 0.002

export interface Totals {
  readonly apps: readonly Replayed[]
  /** Shares of cold starts, one for every app, in [0, 1]. */
  readonly coldShares: readonly number[]
  /** Memory-time loaded without a call, MB·h. */
  readonly wasted: number
}

export function total(apps: readonly App[], policy: KeepAlivePolicy): Totals {
  const replayed = apps.map((app) => replay(app, policy))
  return {
    apps: replayed,
    coldShares: replayed.map(({ cold, calls }) => cold / calls),
    wasted: replayed.reduce((sum, { idleMs }, index) => sum + (idleMs / HOUR_MS) * apps[index]!.memoryMB, 0),
  }
}

export interface EqualWaste {
  readonly windowMs: number
  readonly totals: Totals
}

/**
 * The fixed window that wastes as much memory-time as `wasted`. Waste grows with the window: a bisection of the
 * logarithm, whose next point leans towards the better end so that fewer replays do.
 */
export function fixedOfEqualWaste(apps: readonly App[], wasted: number): EqualWaste {
  const at = (windowMs: number): Tried => {
    const totals = total(apps, fixed(windowMs))
    return { windowMs, totals, error: totals.wasted / wasted - 1 }
  }
  let [low, high] = [at(MINUTE_MS), at(LONGEST_FIXED_MS)]
  for (;;) {
    const lean = Math.min(0.8, Math.max(0.2, low.error / (low.error - high.error)))
    const tried = at(low.windowMs * (high.windowMs / low.windowMs) ** lean)
    if (Math.abs(tried.error) < SAME_WASTE || high.windowMs - low.windowMs < MINUTE_MS) return tried
    if (tried.error < 0) low = tried
    else high = tried
  }
}

interface Tried extends EqualWaste {
  /** Relative. */
  readonly error: number
}
