// Which idle sandboxes have stayed long enough. For how long a function stays loaded is keep-alive/.
import { countServing, type Placeable, quiet } from './sandbox-state.ts'

export interface Expiry<P> {
  /** Longest idle first. */
  readonly expired: readonly P[]
  /** When the next one expires; Infinity when none will. */
  readonly nextAt: number
}

export interface Keep {
  /** Sandboxes, those used most recently, that stay until `keptUntil`, however long they have been idle. */
  readonly kept: number
  /** Monotonic ms; the others go by then at the latest. */
  readonly keptUntil: number
  /** The others go when they have been idle for this long, ms. */
  readonly spareMs: number
  /** Never fewer than these. */
  readonly minSandboxes: number
}

export const KEEP_NOTHING: Keep = { kept: 0, keptUntil: Infinity, spareMs: 0, minSandboxes: 0 }

export function expire<P extends Placeable>(own: readonly P[], keep: Keep, now: number): Expiry<P> {
  const { kept, keptUntil, spareMs, minSandboxes } = keep
  const serving = countServing(own)
  const spare = serving - Math.max(kept, minSandboxes)
  const mayGo = own
    .flatMap((sandbox) => (quiet(sandbox.state) ? [{ sandbox, since: sandbox.state.since }] : []))
    .toSorted((a, b) => a.since - b.since)
    .slice(0, Math.max(0, serving - minSandboxes))
    .map(({ sandbox, since }, index) => ({
      sandbox,
      at: index < spare ? Math.min(since + spareMs, keptUntil) : keptUntil,
    }))
  const expired = mayGo.filter(({ at }) => at <= now)
  const nextAt = mayGo.reduce((next, { at }) => (at > now ? Math.min(next, at) : next), Infinity)
  return { expired: expired.map(({ sandbox }) => sandbox), nextAt }
}
