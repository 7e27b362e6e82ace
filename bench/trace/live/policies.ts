// The policies that are compared live: every app is deployed once for each, and the platform carries all of them out
// at the same time.
import { fixed } from '#invoker/pool/keep-alive/fixed'
import { hybridHistogram } from '#invoker/pool/keep-alive/hybrid-histogram'
import type { KeepAlivePolicy } from '#invoker/pool/keep-alive/policy'

const MINUTE_MS = 60_000

export interface LivePolicy {
  readonly name: string
  readonly title: string
  /** As a function says it in its spec. */
  readonly spec: Readonly<Record<string, string>>
  /** The same for the replay in virtual time. */
  readonly policy: KeepAlivePolicy
  /** Calls of an app that are sent: all, or so many that are spread over the hours. */
  readonly mostCalls: number
}

export const LIVE_POLICIES: readonly LivePolicy[] = [
  // Every call is a start: all of them would be more than a small machine does in the time, and the share is the same.
  { name: 'none', title: 'no keep-alive', spec: { keepAliveMs: '0' }, policy: fixed(0), mostCalls: 24 },
  {
    name: 'fixed10',
    title: 'fixed 10 min',
    spec: { keepAlive: '10m' },
    policy: fixed(10 * MINUTE_MS),
    mostCalls: Infinity,
  },
  {
    name: 'fixed20',
    title: 'fixed 20 min',
    spec: { keepAlive: '20m' },
    policy: fixed(20 * MINUTE_MS),
    mostCalls: Infinity,
  },
  { name: 'learned', title: 'learned', spec: { keepAlive: 'auto' }, policy: hybridHistogram(), mostCalls: Infinity },
]

/** Those of the calls that are sent. */
export function sentOf(starts: readonly number[], { mostCalls }: Pick<LivePolicy, 'mostCalls'>): readonly number[] {
  const step = Math.max(1, Math.ceil(starts.length / mostCalls))
  return starts.filter((_, index) => index % step === 0)
}
