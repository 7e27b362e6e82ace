// The seam to the lanes: durable queues, one per function, served by whoever has room. Implemented in store/ on BullMQ.
import type { PlatformError } from './errors.ts'
import type { FunctionName, InvocationId, LaneName, TriggerName, VersionNumber } from './ids.ts'
import type { HeaderList, TriggerKind } from './invocation.ts'
import type { Delivery } from './destination.ts'
import type { InvocationRecord } from './record.ts'
import type { StopSignal } from './stop-signal.ts'

/** How failed attempts are made again. */
export interface RetryPolicy {
  /** The first included. */
  readonly maxAttempts: number
  /** `fixed`: always `delayMs`. `exponential`: doubled from attempt to attempt, with jitter. */
  readonly backoff: 'fixed' | 'exponential'
  readonly delayMs: number
  readonly maxDelayMs: number
}

/** Where an invocation came from, beyond its kind; kept in its record. */
export interface Cause {
  readonly trigger?: TriggerName
  /** Ids of the events in it, in order; a retry after a partial failure has only those that are left. */
  readonly events?: readonly string[]
  /** It repeats the input of this one. */
  readonly replayOf?: InvocationId
  /** It is the destination of this one. */
  readonly destinationOf?: InvocationId
  /** How many destinations led to it; not there when none did. Functions that tell each other would go round for ever. */
  readonly hops?: number
}

/** An invocation as it waits in its lane. */
export interface QueuedInvocation {
  readonly id: InvocationId
  readonly function: FunctionName
  /** The version that was live when it was accepted. */
  readonly version: VersionNumber
  readonly trigger: Exclude<TriggerKind, 'http'>
  readonly cause: Cause
  readonly request: QueuedRequest
  readonly acceptedAt: number
  readonly retry: RetryPolicy
  /** Not to be run before, ms since the epoch. */
  readonly notBefore?: number
  /** Not to be started for the first time at or after, ms since the epoch: it ends as `expired`. */
  readonly expiresAt?: number
  /** 0 is normal; higher ones of the lane come first. At most MAX_PRIORITY. */
  readonly priority: number
  /** In a delivery lane only: what is to be told, and to whom. */
  readonly delivery?: Delivery
}

export interface QueuedRequest {
  readonly method: string
  readonly target: string
  readonly origin: string
  readonly headers: HeaderList
  readonly body: Uint8Array
}

export const MAX_PRIORITY = 9

/** A queued invocation that this process holds. Its lease is renewed until one of the methods ends it; each at most once. */
export interface Claim {
  readonly invocation: QueuedInvocation
  /** 1 for the first. */
  readonly attempt: number
  /** How often it was taken over from a process that died or lost its lease. */
  readonly takeovers: number
  /** Aborts when the lease is lost: another process may have taken over, so stop. */
  readonly lost: StopSignal
  /** Aborts when someone cancels the invocation, with any process (`Lanes.cancel`). It is still to be completed. */
  readonly cancelled: StopSignal
  /**
   * Done, whatever the outcome: it leaves the lane.
   * @param record is saved in the same step: no crash comes between, and whoever has lost the lease saves nothing
   */
  complete(record?: InvocationRecord): Promise<void>
  /** As `complete`, and takes the next one of the lane in the same step, if there is one now. */
  completeAndTake(record?: InvocationRecord): Promise<Claim | undefined>
  /**
   * Back into the lane for another attempt after `delayMs`.
   * @param changed what the next attempt gets instead: a batch without the events that are done
   */
  retry(delayMs: number, reason: string, changed?: Pick<QueuedInvocation, 'request' | 'cause'>): Promise<void>
  /** Back into the lane at once, without having used an attempt: there was no room after all. */
  release(delayMs: number): Promise<void>
}

/** What holds for a lane over all processes. 0: no limit. */
export interface LaneLimits {
  /** Most that run at the same time. */
  readonly concurrency: number
  /** Most that are started in a second. */
  readonly ratePerS: number
}

export interface LaneState {
  readonly waiting: number
  readonly delayed: number
  readonly running: number
  /** When the one that waits longest was accepted, ms since the epoch; delayed ones do not count. */
  readonly oldestAt?: number
}

export interface Lanes {
  /** Durable when it resolves. Adding an id that is there already changes nothing. */
  add(invocation: QueuedInvocation): Promise<void>
  /** As `add`, of any number at once and several lanes; one answer each, in order: undefined, or why it is not there. */
  addMany(invocations: readonly QueuedInvocation[]): Promise<readonly (PlatformError | undefined)[]>
  /** Takes the next invocation of a lane, if there is one now and the limits of the lane allow it. Never waits. */
  take(name: LaneName): Promise<Claim | undefined>
  /** Sets the limits of a lane for all processes; cheap when they are the same as before. */
  limit(name: LaneName, limits: LaneLimits): Promise<void>
  /**
   * `removed`: it waited and is out of the lane. `told`: it runs, and the claim of whoever holds it aborts. `absent`: it
   * is not in the lane.
   * @param onRemove writes the record of one that waits, before it is gone, with how often it was taken over; whoever
   * takes it meanwhile, or after this was cut off, finds it cancelled
   */
  cancel(
    name: LaneName,
    id: InvocationId,
    onRemove?: (takeovers: number) => Promise<void>,
  ): Promise<'removed' | 'told' | 'absent'>
  /** Whether it waits, is delayed or runs. */
  has(name: LaneName, id: InvocationId): Promise<boolean>
  /** Calls `onBell` when a lane may have work: after an add anywhere, when a delay is over, after a takeover, and for every lane with work at the start. */
  listen(onBell: (name: LaneName) => void): AsyncDisposable
  state(name: LaneName): Promise<LaneState>
  /** Of all lanes that have anything in them. */
  states(): Promise<ReadonlyMap<LaneName, LaneState>>
  /**
   * Drops the lane of a function and that of its deliveries, and what is in them; what runs is cancelled.
   * @param onDrop called with ids before they are gone, so that their records can be ended; when it was cut off in
   * between, the next `remove` names them again
   */
  remove(name: FunctionName, onDrop?: (lane: LaneName, ids: readonly InvocationId[]) => Promise<void>): Promise<void>
}
