// The seam to the lanes: one durable queue per function, served by whoever has room. Implemented in store/ on BullMQ.
import type { FunctionName, InvocationId, VersionNumber } from './ids.ts'
import type { HeaderList } from './invocation.ts'

/** An invocation as it waits in its lane. */
export interface QueuedInvocation {
  readonly id: InvocationId
  readonly function: FunctionName
  /** The version that was live when it was accepted. */
  readonly version: VersionNumber
  readonly request: {
    readonly method: string
    readonly target: string
    readonly origin: string
    readonly headers: HeaderList
    readonly body: Uint8Array
  }
  readonly acceptedAt: number
  readonly maxAttempts: number
}

/** A queued invocation that this process holds. Its lease is renewed until one of the methods ends it; each at most once. */
export interface Claim {
  readonly invocation: QueuedInvocation
  /** 1 for the first. */
  readonly attempt: number
  /** Aborts when the lease is lost: another process may have taken over, so stop. */
  readonly lost: AbortSignal
  /** Done, whatever the outcome: it leaves the lane. */
  complete(): Promise<void>
  /** As `complete`, and takes the next one of the lane in the same step, if there is one now. */
  completeAndTake(): Promise<Claim | undefined>
  /** Back into the lane for another attempt after `delayMs`. */
  retry(delayMs: number, reason: string): Promise<void>
  /** Back into the lane at once, without having used an attempt: there was no room after all. */
  release(delayMs: number): Promise<void>
}

export interface Lanes {
  /** Durable when it resolves. */
  add(invocation: QueuedInvocation): Promise<void>
  /** Takes the next invocation of a lane, if there is one now. Never waits. */
  take(name: FunctionName): Promise<Claim | undefined>
  /** Calls `onBell` when a lane may have work: after an add anywhere, when a delay is over, after a takeover, and for every lane with work at the start. */
  listen(onBell: (name: FunctionName) => void): AsyncDisposable
  /** Waiting, delayed and running now. */
  depth(name: FunctionName): Promise<number>
  /** Drops the lane and what waits in it. */
  remove(name: FunctionName): Promise<void>
}
