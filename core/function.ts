// A function, its spec and its immutable versions. How a spec is read from input is in spec.ts.
import type { ArtifactFile } from './artifact.ts'
import type { Digest, FunctionName, VersionNumber } from './ids.ts'

/** How code of one kind is prepared and started. */
export type RuntimeName = 'js' | 'wasm' | 'node' | 'python'
/** The JavaScript engine of a `js` function. */
export type EngineName = 'quickjs' | 'starlingmonkey'
/**
 * What a call may find in a Wasm instance. `reset`: memory restored after every call. `fresh`: a new instance for
 * every call. `warm`: module state is kept between calls.
 */
export type InstancePolicy = 'reset' | 'fresh' | 'warm'
/** What calls of a python function share: `fork` gives each a process, made of the one that has loaded the code. */
export type Isolation = 'none' | 'fork'

/** What a deploy says about a function. Every field has a default; see SPEC_FIELDS. */
export interface FunctionSpec {
  readonly runtime: RuntimeName
  readonly engine: EngineName
  /** `file.export`, as in `index.handler`; empty: found by convention (docs/functions.md). */
  readonly handler: string
  readonly memoryMiB: number
  /** Limit of the run itself; waiting and starting do not count. */
  readonly timeoutMs: number
  readonly env: Readonly<Record<string, string>>
  /** Calls at the same time in one sandbox. */
  readonly concurrency: number
  /** How long an idle sandbox stays: `auto` (learned), or a duration such as `90s`; see keepAliveMsOf. */
  readonly keepAlive: string
  /** Sandboxes kept however idle the function is. */
  readonly minSandboxes: number
  readonly maxSandboxes: number
  /** What 95 of 100 calls are to take at most, waiting and starting included; 0: no objective. */
  readonly targetLatencyMs: number
  /** Whether `/fn/{name}` wants the token. */
  readonly auth: 'none' | 'token'
  /** Hosts that `fetch` may reach although the default policy refuses them: `host`, `host:port` or CIDR. */
  readonly egress: readonly string[]
  readonly instances: InstancePolicy
  readonly isolation: Isolation
  /** Tries of an async invocation, the first included. */
  readonly maxAttempts: number
  /** `fixed`: retryDelayMs between attempts; `exponential`: doubled each time, with jitter. */
  readonly retryBackoff: 'fixed' | 'exponential'
  readonly retryDelayMs: number
  readonly retryMaxDelayMs: number
  /** An async invocation that could not start for so long ends as `expired`; 0: waits for ever. */
  readonly maxAgeMs: number
  /** Async invocations at the same time, over all invokers; 0: no limit. */
  readonly asyncConcurrency: number
  /** Async invocations started per second, over all invokers; 0: no limit. */
  readonly asyncRatePerS: number
  /** Share of the async slots when functions compete: one of weight 2 gets twice as many as one of weight 1. */
  readonly weight: number
  /** Whom to tell what came of async invocations: a destination (destination.ts); empty: nobody. */
  readonly onSuccess: string
  readonly onFailure: string
}

/** Immutable: a deploy makes one, nothing edits one. */
export interface FunctionVersion {
  readonly function: FunctionName
  readonly number: VersionNumber
  /** Over code and spec: equal digests are the same version. */
  readonly digest: Digest
  readonly spec: FunctionSpec
  /** What was uploaded; `GET …/code` gives it back. */
  readonly source: readonly ArtifactFile[]
  /** What a sandbox loads. */
  readonly artifact: readonly ArtifactFile[]
  /** Names and versions of what built the artifact. */
  readonly toolchain: string
  /** ms since the epoch */
  readonly createdAt: number
}

export interface FunctionRecord {
  readonly name: FunctionName
  /** What unqualified calls use. */
  readonly live: VersionNumber
  readonly createdAt: number
  readonly updatedAt: number
}
