// How long idle sandboxes stay. Policies are functions of plain data, so that one that learns can take the place of
// the fixed one.
import { countServing, type Placeable } from './sandbox-state.ts'

/** What a policy may know of a version. */
export interface KeepAliveFacts {
  /** Of the spec. */
  readonly keepAliveMs: number
  /** Superseded: nothing is expected to call it again. */
  readonly retired: boolean
}

/** How long a sandbox of the version may be idle, ms. */
export type KeepAlivePolicy = (facts: KeepAliveFacts) => number

export const fixedKeepAlive: KeepAlivePolicy = ({ keepAliveMs, retired }) => (retired ? 0 : keepAliveMs)

export interface Expiry<P> {
  /** Longest idle first. */
  readonly expired: readonly P[]
  /** When the next one expires; Infinity when none will. */
  readonly nextAt: number
}

export interface Keep {
  readonly keepMs: number
  readonly minSandboxes: number
}

/** Which idle sandboxes have stayed long enough. Never leaves fewer than `minSandboxes`. */
export function expire<P extends Placeable>(own: readonly P[], { keepMs, minSandboxes }: Keep, now: number): Expiry<P> {
  const idle = own
    .flatMap((sandbox) => (sandbox.state.kind === 'idle' ? [{ sandbox, at: sandbox.state.since + keepMs }] : []))
    .toSorted((a, b) => a.at - b.at)
  const spare = Math.max(0, countServing(own) - minSandboxes)
  const expired = idle.slice(0, spare).filter(({ at }) => at <= now)
  const next = idle.slice(0, spare)[expired.length]
  return { expired: expired.map(({ sandbox }) => sandbox), nextAt: next?.at ?? Infinity }
}
