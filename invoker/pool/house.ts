// What the pools of all versions on one invoker share: memory, the eviction clock, generic sandboxes. The seam between
// version-pool.ts, function-pools.ts and pool.ts.
import type { Clock } from '#core/clock'
import type { FunctionSpec, FunctionVersion, RuntimeName } from '#core/function'
import type { FunctionName } from '#core/ids'
import type { Log } from '#invoker/log'
import type { SandboxSpec } from '#invoker/sandbox/driver'
import type { Semaphore } from '#invoker/semaphore'

import type { Agenda } from './agenda.ts'
import type { AheadTurns } from './ahead-turns.ts'
import type { Ladder } from './descend.ts'
import type { Evictable } from './evict.ts'
import type { Histories } from './keep-alive/histories.ts'
import type { KeepAlivePolicy } from './keep-alive/policy.ts'
import type { Member } from './member.ts'
import type { Rung } from './sandbox-state.ts'
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
  readonly agenda: Agenda
  readonly histories: Histories
  /** Of functions whose keepAlive is `auto`. */
  readonly learned: KeepAlivePolicy
  /** When idle sandboxes are let sleep. */
  readonly ladder: Ladder
  /** Turns to create what no call waits for. */
  readonly ahead: AheadTurns
  /** Permits to hibernate: each takes a processor and the disk for a while. */
  readonly hibernations: Semaphore
  /** Moves with what is evicted (evict.ts). */
  readonly evictionClock: number
  readonly freeMiB: number
  /** Counts memory as used, or, negative, as free again. */
  charge(memoryMiB: number): void
  /** Generic sandboxes that could be specialized for this spec. */
  generic(spec: SandboxSpec): readonly Member[]
  /** A call wants a sandbox of this spec, generic or new: more of the kind are likely to be wanted. */
  wanted(spec: FunctionSpec): void
  /** Takes a generic sandbox out of the stock, with its memory. */
  adopt(member: Member): void
  /** Idle sandboxes of all versions that may be given up. */
  evictable(): readonly Evictable<Member>[]
  /** Gives them up; resolves when nothing of them is left. */
  evict(members: readonly Member[]): Promise<void>
  /** Versions with calls that wait for memory. */
  readonly hungry: Set<Hungry>
  /** A sandbox of this runtime was woken for a call. */
  woke(runtime: RuntimeName, from: Rung, ms: number): void
  /** Sandboxes that are being started, those in stock not counted. */
  readonly starts: number
  /** Of the machine: so many starts do not slow each other. */
  readonly processors: number
  /** Sandboxes that calls wait for: `by` more of them, or, negative, fewer, are being started. */
  countStarting(by: 1 | -1): void
  /** Nothing is left of a function that was removed. */
  functionGone(name: FunctionName): void
  /** A slot came back with nobody of its own version waiting for it, or a caller has been answered. */
  slotFreed(): void
}

/** What a version needs of its function. All times are monotonic ms. */
export interface Owner {
  /** A slot was lent, or came back. */
  callStarted(): void
  callEnded(): void
  /** A sandbox of this version is idle since then, or may go although it is. */
  becameIdle(version: OwnedVersion, since: number): void
  /** Most sandboxes that this version may have now, those of the function's other versions considered. */
  capOf(version: OwnedVersion): number
  /** Warm sandboxes that the live version should have for its latency objective. */
  readonly staff: number
  /** Sandboxes of the live version that were loaded ahead of a call that has yet to come. */
  readonly awaited: number
  /** There may be something to do for an idle sandbox then. */
  lookAt(time: number): void
  /** A sandbox was woken for a call. */
  woke(version: OwnedVersion, from: Rung, ms: number): void
  /** Nothing is left of a sandbox of this version. */
  sandboxLeft(version: OwnedVersion): void
}

export interface OwnedVersion {
  readonly version: FunctionVersion
  readonly serving: number
  /** When the first call in line came; Infinity when none waits. */
  readonly hungrySince: number
}
