// The seam to the dead-letter lanes: what failed for good, kept until someone has looked at it. Implemented in store/.
import type { FunctionName, InvocationId } from './ids.ts'
import type { QueuedInvocation } from './queue.ts'
import type { RecordError, RecordState } from './record.ts'

export interface DeadLetter {
  readonly invocation: QueuedInvocation
  /** The final state of its record. */
  readonly state: RecordState
  readonly error: RecordError
  readonly attempts: number
  /** ms since the epoch */
  readonly at: number
}

export interface DeadLetterPage {
  /** Newest first. */
  readonly letters: readonly DeadLetter[]
  readonly next?: string
}

/** They do not depend on the retention of records; they are kept for a time of their own. */
export interface DeadLetters {
  /** Durable when it resolves; the same id twice is there once. @throws PlatformError `store-unavailable`, here and below */
  add(letter: DeadLetter): Promise<void>
  list(name: FunctionName, page: { readonly limit: number; readonly cursor?: string }): Promise<DeadLetterPage>
  get(name: FunctionName, id: InvocationId): Promise<DeadLetter | undefined>
  /** False when it was not there. */
  remove(name: FunctionName, id: InvocationId): Promise<boolean>
  /** Removes all; returns how many. */
  purge(name: FunctionName): Promise<number>
  count(name: FunctionName): Promise<number>
  /** Of all functions that have any. */
  counts(): Promise<ReadonlyMap<FunctionName, number>>
}
