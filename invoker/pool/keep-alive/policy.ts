// How long a function without calls stays loaded, and when it is loaded again ahead of the next call. Only decides:
// loads and unloads nothing, sets no timer and reads no clock.
import type { IdleHistory } from './idle-history.ts'

/** All times are whole ms from the `now` that the policy was given. */
export interface KeepAliveDecision {
  /** Unload after this time without a call; 0 is at once. */
  readonly keepAliveMs: number
  /** Load again ahead of the next call; undefined when nothing is to be loaded before it comes. */
  readonly prewarm: Prewarm | undefined
  /** What decided, for the status of the function. */
  readonly basis: 'fixed' | 'standard' | 'histogram' | 'forecast'
}

export interface Prewarm {
  /** Never before keepAliveMs. */
  readonly afterMs: number
  /** Unload when no call came in this time after loading. */
  readonly keepMs: number
}

/**
 * Decides for a function that has no call running. The same history gives the same plan whenever it is asked: a later
 * `now` only leaves less of it, so a restart in the middle of an idle time goes on where it was.
 * @param now ms since the epoch, as in the history
 */
export type KeepAlivePolicy = (history: IdleHistory, now: number) => KeepAliveDecision

/**
 * A plan for one idle time, in ms from the end of the last call: loaded in [0, keepMs] and in [fromMs, untilMs]. Windows
 * that touch are one.
 */
export interface Plan {
  readonly keepMs: number
  readonly fromMs: number
  readonly untilMs: number
}

/** The plan without a second window. */
export function keepFor(keepMs: number): Plan {
  return { keepMs, fromMs: 0, untilMs: 0 }
}

/** What is left of a plan when `elapsedMs` of the idle time have passed, rounded to whole ms. */
export function remaining(plan: Plan, elapsedMs: number, basis: KeepAliveDecision['basis']): KeepAliveDecision {
  const { keepMs, fromMs, untilMs } = plan
  const left = (ms: number): number => Math.max(0, Math.round(ms - elapsedMs))
  if (fromMs <= keepMs || fromMs <= elapsedMs) {
    return { keepAliveMs: left(Math.max(keepMs, untilMs)), prewarm: undefined, basis }
  }
  const afterMs = left(fromMs)
  return { keepAliveMs: left(keepMs), prewarm: { afterMs, keepMs: left(untilMs) - afterMs }, basis }
}
