// The same window for every function: `keepAlive: <duration>`.
import { elapsedMs } from './idle-history.ts'
import { type KeepAlivePolicy, keepFor, remaining } from './policy.ts'

/** Keeps a function for `windowMs` after its last call and never loads it ahead. */
export function fixed(windowMs: number): KeepAlivePolicy {
  const plan = keepFor(windowMs)
  return (history, now) => remaining(plan, elapsedMs(history, now), 'fixed')
}
