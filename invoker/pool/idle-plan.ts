// A keep-alive decision as times of the pool's clock, and in words for the status. Decides nothing itself.
import type { KeepAliveStatus } from '#core/invoker'

import type { IdleHistory } from './keep-alive/idle-history.ts'
import type { KeepAliveDecision } from './keep-alive/policy.ts'

/** What is planned for the idle time that a function is in. Monotonic ms. */
export interface IdlePlan {
  readonly keptUntil: number
  readonly prewarm: { readonly at: number; readonly until: number } | undefined
  /** A call is expected while it stays; else it only stays because nothing is known. */
  readonly expected: boolean
  /** It was loaded ahead, for a call that has yet to come. */
  readonly ahead: boolean
}

/** @param startMs what a start may take: loading begins earlier by as much */
export function planOf({ keepAliveMs, prewarm, basis }: KeepAliveDecision, startMs: number, now: number): IdlePlan {
  const keptUntil = now + keepAliveMs
  const plan = { expected: basis === 'histogram' || basis === 'forecast', ahead: false }
  if (prewarm === undefined) return { ...plan, keptUntil, prewarm: undefined }
  const at = now + Math.max(0, prewarm.afterMs - startMs)
  const until = now + prewarm.afterMs + prewarm.keepMs
  // It would have to be started before it is ended.
  return at <= keptUntil && keepAliveMs > 0
    ? { ...plan, keptUntil: until, prewarm: undefined }
    : { ...plan, keptUntil, prewarm: { at, until } }
}

/** What is left of a plan when it is loaded for the call that is expected until then. */
export function loadedAhead(until: number): IdlePlan {
  return { keptUntil: until, prewarm: undefined, expected: true, ahead: true }
}

/** @param startMs as of planOf @param now ms since the epoch, when the decision was asked for */
export function statusOf(
  decision: KeepAliveDecision,
  history: IdleHistory,
  { startMs, now }: { readonly startMs: number; readonly now: number },
): KeepAliveStatus {
  const { basis, keepAliveMs, prewarm } = decision
  const idleTimes = history.total + history.outOfBounds
  const loadAt = prewarm === undefined ? {} : { loadAt: now + Math.max(0, prewarm.afterMs - startMs) }
  return { basis, why: reasonOf(basis, history), idleTimes, until: now + keepAliveMs, ...loadAt }
}

function reasonOf(basis: KeepAliveDecision['basis'], { total, outOfBounds }: IdleHistory): string {
  switch (basis) {
    case 'fixed':
      return 'keepAlive of the spec'
    case 'standard':
      return `${total} idle times of less than 4 h are too few, or too even, to say when the next call comes`
    case 'histogram':
      return `most of ${total} idle times of less than 4 h are alike`
    case 'forecast':
      return `${outOfBounds} of ${total + outOfBounds} idle times are 4 h and longer`
    default:
      return basis satisfies never
  }
}
