// Makes an upload runnable, whatever its runtime, and proves that it loads in a real sandbox. Stores nothing.
import type { FileSet } from '#core/artifact'
import {
  buildFailed,
  type Builder,
  type BuildOutput,
  type BuildProgress,
  type Diagnostic,
  type Draft,
} from '#core/build'
import type { Clock } from '#core/clock'
import { versionDigest } from '#core/digest'
import type { FunctionVersion } from '#core/function'
import { parseVersionNumber } from '#core/ids'
import { describeOutcome, type Outcome } from '#core/outcome'
import type { ArtifactCache } from '#invoker/artifacts'
import { type AbsentDriver, Starter } from '#invoker/pool/starter'
import type { SandboxDriver } from '#invoker/sandbox/driver'
import { Semaphore } from '#invoker/semaphore'

import { compiling, withCompiled } from './container-compiled.ts'
import { buildContainer } from './container.ts'

export interface BuilderOptions {
  /** For the runtimes js and wasm. */
  readonly wasm: Pick<Builder, 'build'>
  readonly drivers: readonly SandboxDriver[]
  readonly absent: readonly AbsentDriver[]
  /** Where sandboxes can load the code from for the trial. */
  readonly artifacts: Pick<ArtifactCache, 'keep'>
  readonly clock: Clock
}

/** Builds at the same time: one can use a core and more than a GiB. */
const MAX_BUILDS = 2
/** How long creating the sandbox for the trial, and then the top-level code in it, may take. */
const TRIAL_MS = 30_000

export function createBuilder({ wasm, drivers, absent, artifacts, clock }: BuilderOptions): Builder {
  const builds = new Semaphore(MAX_BUILDS)
  return {
    async build(draft, onProgress, signal) {
      starterFor().driverFor(draft.spec.runtime)
      using _permit = await builds.acquire(signal)
      const output = await prepare(draft, onProgress, signal)
      onProgress({ step: 'check', message: 'loading it in a sandbox' })
      const compiled = await tryToLoad(draft, output.artifact, signal)
      return { ...output, artifact: withCompiled(output.artifact, compiled, draft.spec.runtime) }
    },
  }

  function prepare(
    draft: Draft,
    onProgress: (progress: BuildProgress) => void,
    signal: AbortSignal,
  ): Promise<BuildOutput> {
    const { runtime } = draft.spec
    if (runtime === 'js' || runtime === 'wasm') return wasm.build(draft, onProgress, signal)
    return buildContainer({ ...draft, spec: { ...draft.spec, runtime } }, onProgress)
  }

  /** @returns what the sandbox has compiled. @throws PlatformError `build-failed` with what the code said */
  async function tryToLoad(draft: Draft, artifact: FileSet, signal: AbortSignal): Promise<FileSet> {
    const trial = compiling(drivers)
    const started = await starterFor(artifact, trial.drivers).start(trialVersion(draft, clock.now()), signal)
    if (started.kind === 'ready') {
      await using _sandbox = started.sandbox
      return await trial.compiled(clock)
    }
    throw buildFailed([started.diagnostic ?? diagnosticOf(started.outcome)])
  }

  function starterFor(artifact: FileSet = new Map(), own = drivers): Starter {
    return new Starter({
      drivers: own,
      absent,
      clock,
      artifacts: { fetch: () => artifacts.keep(artifact) },
      maxStarts: 1,
      startTimeoutMs: TRIAL_MS,
      // No call runs in it.
      stopGraceMs: 0,
      probeMs: 0,
    })
  }
}

/** The version that the draft will be, as far as its sandbox can tell. */
function trialVersion({ name, spec, source }: Draft, now: number): FunctionVersion {
  return {
    function: name,
    number: parseVersionNumber(1),
    digest: versionDigest(spec, source),
    spec,
    source: [],
    artifact: [],
    toolchain: '',
    createdAt: now,
  }
}

function diagnosticOf(outcome: Outcome): Diagnostic {
  switch (outcome.kind) {
    case 'failed':
      return { message: `the code could not be loaded: ${outcome.failure.type}: ${outcome.failure.message}` }
    case 'timed-out':
      return { message: `the top-level code must end within ${outcome.limitMs} ms` }
    case 'out-of-memory':
      return { message: `loading the code takes more than its memoryMiB of ${outcome.limitMiB}` }
    case 'exited':
      return { message: `the top-level code ended its sandbox: ${outcome.detail}` }
    case 'responded':
    case 'cancelled':
      return { message: describeOutcome(outcome) }
    default:
      return outcome satisfies never
  }
}
