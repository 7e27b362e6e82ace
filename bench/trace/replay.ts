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
  const parts = app.units.map((unit) => replayUnit(unit, app.spanMs, policy, NOTHING_BEFORE))
  const sum = (of: (part: Replayed) => number): number => parts.reduce((total, part) => total + of(part), 0)
  return {
    calls: sum(({ calls }) => calls),
    cold: sum(({ cold }) => cold),
    idleMs: sum(({ idleMs }) => idleMs) * app.scale,
  }
}

/** Where a replay begins: with what is known of the time before, and with nothing loaded but what that makes expect. */
export interface Beginning {
  readonly history: IdleHistory
  readonly atMs: number
}

const NOTHING_BEFORE: Beginning = { history: NO_HISTORY, atMs: -Infinity }

/** @param untilMs of the trace; idle time after it does not count */
export function replayUnit(
  { starts, durationMs }: Unit,
  untilMs: number,
  policy: KeepAlivePolicy,
  { history: before, atMs }: Beginning,
): Replayed {
  let history = before
  let busyUntil = atMs
  let cold = 0
  let idleMs = 0
  const decide = (called: boolean): KeepAliveDecision | undefined =>
    called ? policy(history, history.endedAt!) : decidedAtStart(before, atMs, policy)
  for (const [index, start] of starts.entries()) {
    if (start > busyUntil) {
      const decision = decide(index > 0)
      if (decision === undefined || !loadedAt(decision, start - busyUntil)) cold++
      if (decision !== undefined) idleMs += loadedWithin(decision, start - busyUntil)
      history = started(history, start)
    }
    busyUntil = Math.max(busyUntil, start + durationMs)
    history = ended(history, busyUntil)
  }
  const last = busyUntil < untilMs ? decide(starts.length > 0) : undefined
  if (last !== undefined) idleMs += loadedWithin(last, untilMs - busyUntil)
  return { calls: starts.length, cold, idleMs }
}

/** As the platform does after a restart: what is expected is loaded, what would only have stayed is not. */
function decidedAtStart(history: IdleHistory, atMs: number, policy: KeepAlivePolicy): KeepAliveDecision | undefined {
  if (history.endedAt === undefined) return undefined
  const decision = policy(history, atMs)
  return decision.basis === 'histogram' || decision.basis === 'forecast' ? decision : undefined
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
