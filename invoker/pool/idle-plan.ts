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
}

export function planOf({ keepAliveMs, prewarm, basis }: KeepAliveDecision, now: number): IdlePlan {
  const keptUntil = now + keepAliveMs
  const expected = basis === 'histogram' || basis === 'forecast'
  if (prewarm === undefined) return { keptUntil, prewarm: undefined, expected }
  const at = now + prewarm.afterMs
  return { keptUntil, prewarm: { at, until: at + prewarm.keepMs }, expected }
}

/** @param now ms since the epoch, when the decision was asked for */
export function statusOf(decision: KeepAliveDecision, history: IdleHistory, now: number): KeepAliveStatus {
  const { basis, keepAliveMs, prewarm } = decision
  const idleTimes = history.total + history.outOfBounds
  const loadAt = prewarm === undefined ? {} : { loadAt: now + prewarm.afterMs }
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
