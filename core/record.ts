// The durable account of an invocation, and the seam to where accounts are kept.
import type { DeliveryNote } from './destination.ts'
import type { ErrorCode } from './errors.ts'
import type { FunctionName, InvocationId, TriggerName, VersionNumber } from './ids.ts'
import type { HeaderList, LogLine, StartKind, Timings, TriggerKind } from './invocation.ts'
import type { FunctionFailure } from './outcome.ts'
import type { Cause } from './queue.ts'

/** `queued` and `running` change; the others are final. `expired`: it was too old before it could run. */
export type RecordState =
  | 'queued'
  | 'running'
  | 'succeeded'
  | 'failed'
  | 'timed-out'
  | 'out-of-memory'
  | 'cancelled'
  | 'expired'

export const RECORD_STATES = [
  'queued',
  'running',
  'succeeded',
  'failed',
  'timed-out',
  'out-of-memory',
  'cancelled',
  'expired',
] as const satisfies readonly RecordState[]

export interface RecordError {
  readonly code: ErrorCode
  readonly message: string
  /** What the user's code threw, stack included. */
  readonly failure?: FunctionFailure
}

/** One try. */
export interface Attempt {
  readonly number: number
  /** ms since the epoch */
  readonly startedAt: number
  readonly finishedAt?: number
  readonly state: RecordState
  readonly start?: StartKind
  readonly timings?: Timings
  readonly error?: RecordError
}

export interface RecordResult {
  readonly status: number
  readonly headers: HeaderList
  readonly bodyBytes: number
  /** The body as text when it is UTF-8, else base64; absent for sync calls and for bodies over the limit. */
  readonly body?: string
  readonly bodyEncoding?: 'utf8' | 'base64'
}

/** What an async invocation was called with, for a replay: a final record has it, unless it is over the limit. */
export interface RecordInput {
  readonly headers: HeaderList
  readonly body: string
  readonly bodyEncoding: 'utf8' | 'base64'
}

export interface InvocationRecord {
  readonly id: InvocationId
  readonly function: FunctionName
  /** The version that ran or will run. */
  readonly version: VersionNumber
  readonly trigger: TriggerKind
  readonly state: RecordState
  readonly request: { readonly method: string; readonly target: string; readonly bodyBytes: number }
  /** ms since the epoch */
  readonly acceptedAt: number
  readonly finishedAt?: number
  readonly attempts: readonly Attempt[]
  readonly cause?: Cause
  /** Not to be run before, ms since the epoch. */
  readonly notBefore?: number
  /** Takeovers from processes that died: each may have run the function once more. */
  readonly redeliveries?: number
  readonly result?: RecordResult
  readonly error?: RecordError
  /** It is in the dead-letter lane, or was: since when, ms since the epoch. */
  readonly deadLetteredAt?: number
  readonly deliveries?: readonly DeliveryNote[]
  /** Not shown in lists. */
  readonly input?: RecordInput
}

export interface RecordFilter {
  readonly function?: FunctionName
  /** Of several: any of them. */
  readonly state?: RecordState | readonly RecordState[]
  readonly trigger?: TriggerName
  /** Accepted at or after / before, ms since the epoch. */
  readonly since?: number
  readonly before?: number
  readonly limit: number
  /** From the page before. */
  readonly cursor?: string
}

export interface RecordPage {
  /** Newest first. */
  readonly records: readonly InvocationRecord[]
  readonly next?: string
}

/** A log line with where it came from. */
export interface StoredLogLine extends LogLine {
  readonly function: FunctionName
  readonly invocation: InvocationId
}

/** Implemented in store/ on Redis. `write…` return at once and are flushed in batches: the warm path never waits. */
export interface RecordStore {
  /** Upserts. Later writes of the same id win. */
  write(record: InvocationRecord): void
  writeLogs(lines: readonly StoredLogLine[]): void
  /** As `write`, and durable when it resolves. @throws PlatformError `store-unavailable`; it is then written later */
  save(record: InvocationRecord): Promise<void>
  /** Resolves when everything written so far is durable. @throws PlatformError `store-unavailable` */
  flush(): Promise<void>
  get(id: InvocationId): Promise<InvocationRecord | undefined>
  list(filter: RecordFilter): Promise<RecordPage>
  logsOf(id: InvocationId): Promise<readonly StoredLogLine[]>
  /** The newest `limit` lines of a function, oldest first. */
  logsOfFunction(name: FunctionName, limit: number): Promise<readonly StoredLogLine[]>
  /**
   * Records as they are written from now on, by any process, until the signal aborts. A reader that is too slow, or
   * cut off from Redis for a while, misses states in between and never the last one of a record.
   */
  follow(
    filter: Pick<RecordFilter, 'function' | 'state' | 'trigger'>,
    signal: AbortSignal,
  ): AsyncIterable<InvocationRecord>
  /** Ids of invocations of a trigger that became final, as it happens, in any process; undefined when messages may have been lost. */
  onSettled(trigger: TriggerName, listener: (id: InvocationId | undefined) => void): Disposable
  /** The lines written from now on, until the signal aborts. */
  followLogs(name: FunctionName, signal: AbortSignal): AsyncIterable<StoredLogLine>
}
