// Replays an app's calls in virtual time through a keep-alive policy: the same functions that the invoker uses.
import { ended, type IdleHistory, NO_HISTORY, started } from '#invoker/pool/keep-alive/idle-history'
import type { KeepAliveDecision, KeepAlivePolicy } from '#invoker/pool/keep-alive/policy'

import type { App, Unit } from './generate.ts'

export interface Replayed {
  readonly calls: number
  readonly cold: number
  /** Time loaded without a call over the whole trace, ms. */
  readonly idleMs: number
}

/**
 * One sandbox takes all calls of a unit, as in the paper, so only idle times count. A call is cold when its unit is
 * not loaded: the first one, and any that comes outside the windows of the last decision. Loading takes no time.
 */
export function replay(app: App, policy: KeepAlivePolicy): Replayed {
  const parts = app.units.map((unit) => replayUnit(unit, app.spanMs, policy))
  const sum = (of: (part: Replayed) => number): number => parts.reduce((total, part) => total + of(part), 0)
  return {
    calls: sum(({ calls }) => calls),
    cold: sum(({ cold }) => cold),
    idleMs: sum(({ idleMs }) => idleMs) * app.scale,
  }
}

function replayUnit({ starts, durationMs }: Unit, spanMs: number, policy: KeepAlivePolicy): Replayed {
  let history: IdleHistory = NO_HISTORY
  let busyUntil = -Infinity
  let cold = 0
  let idleMs = 0
  for (const start of starts) {
    if (start > busyUntil) {
      const decision = history.endedAt === undefined ? undefined : policy(history, history.endedAt)
      if (decision === undefined || !loadedAt(decision, start - busyUntil)) cold++
      if (decision !== undefined) idleMs += loadedWithin(decision, start - busyUntil)
      history = started(history, start)
    }
    busyUntil = Math.max(busyUntil, start + durationMs)
    history = ended(history, busyUntil)
  }
  if (busyUntil < spanMs) idleMs += loadedWithin(policy(history, busyUntil), spanMs - busyUntil)
  return { calls: starts.length, cold, idleMs }
}

/** Whether a call that comes after `idleMs` finds a sandbox. */
export function loadedAt({ keepAliveMs, prewarm }: KeepAliveDecision, idleMs: number): boolean {
  if (idleMs <= keepAliveMs) return true
  return prewarm !== undefined && idleMs >= prewarm.afterMs && idleMs <= prewarm.afterMs + prewarm.keepMs
}

/** How long the unit is loaded in an idle time of `idleMs`. */
export function loadedWithin({ keepAliveMs, prewarm }: KeepAliveDecision, idleMs: number): number {
  const kept = Math.min(idleMs, keepAliveMs)
  if (prewarm === undefined) return kept
  return kept + Math.min(Math.max(0, idleMs - prewarm.afterMs), prewarm.keepMs)
}
