// Turns the outside world into invocations: the HTTP API, function URLs, deploys. Never runs a function and never
// knows what stores or isolates one: all of that comes in through the interfaces of core.
import type { BlobStore } from '#core/artifact'
import type { Builder } from '#core/build'
import type { Clock } from '#core/clock'
import type { DeadLetters } from '#core/dead-letter'
import type { CloudEvent } from '#core/event'
import type { FunctionStore } from '#core/function-store'
import type { IdempotencyStore } from '#core/idempotency'
import type { FunctionName } from '#core/ids'
import type { Completion, Invoker } from '#core/invoker'
import type { RequestLimits } from '#core/limits'
import type { Lanes } from '#core/queue'
import type { InvocationRecord, RecordStore } from '#core/record'
import type { TriggerStore } from '#core/trigger'

import type { Published } from './triggers/bus.ts'

/** What a gateway works with. It owns none of these: whoever made them ends them, after the gateway. */
export interface GatewayDeps {
  readonly functions: FunctionStore
  readonly blobs: BlobStore
  readonly builder: Builder
  readonly invoker: Invoker
  readonly records: RecordStore
  readonly lanes: Lanes
  readonly deadLetters: DeadLetters
  readonly idempotency: IdempotencyStore
  readonly triggers: TriggerStore
  /** URL of the store's Redis, for sources that read from it. */
  readonly redisUrl: string
  /** Who leads triggers: the same after a restart, and for no two processes that run at the same time. */
  readonly instance: string
  readonly clock: Clock
  /** Rejects when the store does not answer. */
  readonly ping: (signal: AbortSignal) => Promise<void>
  /** Told of errors that are Hearth's own fault; the client sees only their id. */
  readonly onFault: (error: unknown, id: string) => void
}

export interface GatewayOptions extends RequestLimits {
  readonly adminToken: string
  /** Bytes of the body of an async invocation, which waits in the store, and of a call with an Idempotency-Key. */
  readonly maxAsyncBodyBytes: number
  /** Bytes of a response that is kept under an Idempotency-Key. */
  readonly maxResultBytes: number
  /** Lines of a batch. */
  readonly maxBatch: number
  /** Bytes of an upload, packed and unpacked. */
  readonly maxUploadBytes: number
  /** Records of successful sync calls kept per second and function; failures always are. */
  readonly syncRecordsPerS: number
  /** How long running requests may finish after disposal began. */
  readonly drainMs: number
  /** Whether X-Forwarded-* of clients are believed: only behind a proxy that sets them. */
  readonly trustProxy: boolean
}

export interface Gateway extends AsyncDisposable {
  /** Port 0 takes a free one. Triggers are served from then on. @throws PlatformError `store-unavailable` */
  listen(address: {
    readonly host: string
    readonly port: number
  }): Promise<{ readonly url: string; readonly port: number }>
  /** Hands events to the bus, as POST /v1/events does. @throws PlatformError; some may then have been taken */
  publish(events: readonly CloudEvent[]): Promise<Published>
  /** Counts an invocation that did not come through this gateway, for `/metrics`: one that the async consumer ran. */
  observe(name: FunctionName, completion: Completion): void
  /** Counts an async invocation that is over, with its final record. */
  observeEnd(record: InvocationRecord): void
  /** Counts what a destination was told of a function, or could not be told. */
  observeDelivery(name: FunctionName, state: 'delivered' | 'failed'): void
  /**
   * Drains: stops the sources of triggers, accepts nothing new, lets what runs finish within `drainMs`, streams included, cancels the rest, closes.
   * Idempotent.
   */
  [Symbol.asyncDispose](): Promise<void>
}
