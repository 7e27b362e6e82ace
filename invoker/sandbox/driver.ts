// The contract between the invoker and whatever isolates code. START HERE to add a driver (docs/adding-a-driver.md).
//
// A driver is naive: it makes sandboxes and passes calls on. Deadlines, limits on calls at the same time, state
// checks, "the first cause of an end wins" and destroying a sandbox after an error are the guard's
// (guarded-sandbox.ts), written once for all drivers. The contract suite is test/contract/sandbox-driver.ts.
import type { FileSet, LocalFile } from '#core/artifact'
import type { Diagnostic } from '#core/build'
import type { FunctionSpec, RuntimeName } from '#core/function'
import type { FunctionName, SandboxId, VersionNumber } from '#core/ids'
import type { Invocation, ResponseSink } from '#core/invocation'
import type { DriverName } from '#core/invoker'
import type { FunctionFailure, Outcome } from '#core/outcome'
import type { StopSignal } from '#core/stop-signal'

/** What must be known to make a sandbox, before it has any code. */
export type SandboxSpec = Pick<FunctionSpec, 'runtime' | 'engine' | 'memoryMiB' | 'concurrency'>

/** One function version's code, on the local disk. */
export interface Code {
  readonly function: FunctionName
  readonly version: VersionNumber
  readonly spec: FunctionSpec
  readonly files: readonly LocalFile[]
  /** It is loaded once for all: `compiled` is wanted then. */
  readonly compiles?: true
}

/** Loading runs the user's top-level code, so it can fail by the user's doing: a value, not an exception. */
export type LoadResult =
  | { readonly loaded: true }
  | { readonly loaded: false; readonly failure: FunctionFailure; readonly diagnostic?: Diagnostic }

/** How a sandbox came to its end. */
export type Termination =
  | { readonly cause: 'disposed' }
  | { readonly cause: 'out-of-memory' }
  /** By itself; `detail` as in "exit code 7". */
  | { readonly cause: 'exited'; readonly detail: string }

/** What came of taking a sandbox's memory: how much it still has, or why nothing was taken. */
export type Hibernation =
  | { readonly hibernated: true; readonly residentBytes: number }
  | { readonly hibernated: false; readonly reason: string }

export interface DriverCapabilities {
  /** The runtimes whose sandboxes it makes. */
  readonly runtimes: readonly RuntimeName[]
  /** Most calls at the same time in one sandbox, whatever the spec says. */
  readonly maxConcurrency: number
  /** Largest request or response body, bytes. */
  readonly maxBodyBytes: number
}

export interface SandboxDriver extends AsyncDisposable {
  readonly name: DriverName
  readonly capabilities: DriverCapabilities
  /** One line for the start banner: versions, where it is connected to. */
  readonly detail: string
  /**
   * A generic sandbox: running, isolated, without code. On abort nothing is left behind.
   * @throws PlatformError `sandbox-unavailable`
   */
  create(spec: SandboxSpec, signal: AbortSignal): Promise<Sandbox>
  /** Removes sandboxes that a crashed process of this installation left, and returns their ids. */
  recover(signal: AbortSignal): Promise<readonly SandboxId[]>
}

export interface Sandbox extends AsyncDisposable {
  readonly id: SandboxId
  /** Resolves once, when the sandbox has ended, for whatever reason. Never rejects. */
  readonly ended: Promise<Termination>
  /** Resolves before `ended`, as soon as it is known that it takes no more calls. Where the driver learns of it. */
  readonly ending?: Promise<void>
  /** Gives it code. At most once in its life. */
  load(code: Code, signal: AbortSignal): Promise<LoadResult>
  /**
   * Runs one call. Resolves when the call is over inside the sandbox, `ctx.waitUntil` included, and all its log lines
   * have been delivered. Aborting `signal` asks the code to stop: the promise then resolves with `cancelled` once it
   * did, which may be never; the guard disposes of the sandbox when it has waited long enough. When the sandbox ends
   * under the call it resolves with `exited` or `out-of-memory`. Never rejects.
   */
  invoke(invocation: Invocation, sink: ResponseSink, signal: StopSignal): Promise<Outcome>
  /**
   * After a load with `compiles`: files that make the same code load faster when they are with it, where the engine is
   * the same; else they are ignored. Made by the sandbox, so they are as good as what runs in it. Never rejects; no files
   * when the sandbox ended.
   */
  compiled?(): Promise<FileSet>
  /**
   * Stops all that runs in it where it is: it uses no processor, answers nothing and keeps its memory. It can be disposed
   * of as ever. Idempotent; rejects when it runs on. There where `resume` is.
   */
  pause?(): Promise<void>
  /** Lets it go on; also after `hibernate`. Idempotent. */
  resume?(): Promise<void>
  /** Of one that is paused: moves its memory to where it costs less. Slow; never rejects. */
  hibernate?(): Promise<Hibernation>
  /** Bytes of memory that it holds now, undefined when that cannot be told. Takes microseconds: it is asked often. */
  residentBytes?(): number | undefined
  /** Resolves true when the code still lets the sandbox answer, false after `timeoutMs` without an answer. */
  responsive(timeoutMs: number): Promise<boolean>
  /** Kills it with all that runs in it. Idempotent, never throws. */
  [Symbol.asyncDispose](): Promise<void>
}
