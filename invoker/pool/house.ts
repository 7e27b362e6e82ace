// What the pools of all versions on one invoker share: memory, the eviction clock, generic sandboxes. The seam between
// version-pool.ts and pool.ts.
import type { Clock } from '#core/clock'
import type { Log } from '#invoker/log'
import type { SandboxSpec } from '#invoker/sandbox/driver'

import type { Evictable } from './evict.ts'
import type { KeepAlivePolicy } from './keep-alive.ts'
import type { Member } from './member.ts'
import type { Starter } from './starter.ts'
import type { WaitLimits } from './waiting-line.ts'

/** A version with calls that wait for memory. */
export interface Hungry {
  /** Since when; monotonic ms. */
  readonly hungrySince: number
  /** Of its sandboxes that serve. */
  readonly usedMiB: number
  pump(): void
}

export interface House {
  readonly clock: Clock
  readonly log: Log
  readonly starter: Starter
  readonly limits: WaitLimits
  readonly keepAlive: KeepAlivePolicy
  /** Moves with what is evicted (evict.ts). */
  readonly evictionClock: number
  readonly freeMiB: number
  /** Counts memory as used, or, negative, as free again. */
  charge(memoryMiB: number): void
  /** Generic sandboxes that could be specialized for this spec. */
  generic(spec: SandboxSpec): readonly Member[]
  /** Takes a generic sandbox out of the stock, with its memory. */
  adopt(member: Member): void
  /** Idle sandboxes of all versions that may be given up. */
  evictable(): readonly Evictable<Member>[]
  /** Gives them up; resolves when nothing of them is left. */
  evict(members: readonly Member[]): Promise<void>
  /** Versions with calls that wait for memory. */
  readonly hungry: Set<Hungry>
  /** A sandbox may expire then. */
  expiryAt(time: number): void
  /** A slot came back with nobody of its own version waiting for it, or a caller has been answered. */
  slotFreed(): void
}
