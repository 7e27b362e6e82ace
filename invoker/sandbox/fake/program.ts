// What runs in a fake sandbox: a small program in this process, and the means by which it plays its part.
import type { Invocation, LogLine } from '#core/invocation'

/** The "code" of a function on the fake driver. It throws as user code would. */
export type FakeProgram = (call: FakeCall) => Promise<void> | void

/** One call, as its program sees it. */
export interface FakeCall {
  readonly invocation: Invocation
  /** Path without the query, and the query. */
  readonly path: string
  readonly query: URLSearchParams
  readonly env: Readonly<Record<string, string>>
  /** Aborts when the call is to stop. `sleep` does so by itself. */
  readonly signal: AbortSignal
  /** Kept from call to call, as module state would be. */
  readonly memory: Map<string, number>
  body(): Promise<Uint8Array>
  /** A whole response. */
  respond(
    status: number,
    body?: string | Uint8Array,
    headers?: Readonly<Record<string, string>> | [string, string][],
  ): void
  /** A response in pieces: `respond` without a body, then these. */
  chunk(bytes: string): void | Promise<void>
  end(): void
  log(stream: LogLine['stream'], text: string): void
  sleep(ms: number): Promise<void>
  /** Runs on for ever, and the sandbox answers nothing until it is killed. */
  spin(): Promise<never>
  /** Never comes to an end, whatever is asked of it, but lets the sandbox answer. */
  hang(): Promise<never>
  /** Ends the sandbox. */
  exit(code: number): Promise<never>
  exhaustMemory(): Promise<never>
}
