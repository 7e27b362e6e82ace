// START HERE. One call of a function, whatever it came from: an HTTP request, an async submission, an event.
// HTTP-shaped everywhere, so that a fetch handler, a Lambda-style handler and wasi:http are thin adapters.
import type { FunctionVersion } from './function.ts'
import type { InvocationId } from './ids.ts'

/** Header pairs in order; names are lower case, values are as received. */
export type HeaderList = readonly (readonly [name: string, value: string])[]

/** A body: whole, or a stream that is read once. An empty Uint8Array is "no body". */
export type Body = Uint8Array | AsyncIterable<Uint8Array>

export interface InvocationRequest {
  readonly method: string
  /** Path below the function and raw query: `/items/7?full=1`. Always starts with `/`. */
  readonly target: string
  /** What the function sees as the origin of its URL: `http://127.0.0.1:8787`. */
  readonly origin: string
  readonly headers: HeaderList
  /** JSON of `headers`, where whoever made the request has it anyway. */
  readonly headersJson?: string | undefined
  readonly body: Body
}

/** What made the invocation: the difference is for records and metrics only. `event`: a trigger. */
export type TriggerKind = 'http' | 'async' | 'event'

export interface Invocation {
  readonly id: InvocationId
  readonly version: FunctionVersion
  readonly trigger: TriggerKind
  readonly request: InvocationRequest
  /** 1 for the first try. */
  readonly attempt: number
  /** When the platform accepted it, ms since the epoch. */
  readonly acceptedAt: number
}

export interface ResponseHead {
  readonly status: number
  readonly headers: HeaderList
}

/** One line that the function wrote, or one console call. */
export interface LogLine {
  /** ms since the epoch */
  readonly at: number
  readonly stream: 'stdout' | 'stderr'
  /** Without the line end. */
  readonly text: string
}

/** How the sandbox of an invocation was come by. */
export type StartKind = 'cold' | 'specialized' | 'warm'

/** All in milliseconds, fractions kept. */
export interface Timings {
  /** Waiting for room. */
  readonly queueMs: number
  /** Creating or specializing a sandbox; 0 on a warm start. */
  readonly startMs: number
  /** In the function, until the last byte of the response. */
  readonly runMs: number
}

/** Told to the caller once a sandbox has been found and before it runs. */
export interface Start {
  readonly kind: StartKind
  readonly queueMs: number
  readonly startMs: number
}

/**
 * Where a sandbox delivers a response, and its caller listens. Order: `head` at most once, then `chunk` any number
 * of times, then `end` at most once. After a failure in mid-response `end` does not come; the Outcome tells why.
 * Methods must not throw.
 */
export interface ResponseSink {
  /** `whole` is the complete body when it came together with the head; then no `chunk` follows, only `end`. */
  head(head: ResponseHead, whole: Uint8Array | undefined): void
  /** The bytes are the callee's to keep. A promise asks the sender to wait: back-pressure. */
  chunk(bytes: Uint8Array): void | Promise<void>
  end(): void
  /** May come at any time until the invocation is done, also after `end`. */
  log(line: LogLine): void
}
