// START HERE. Builds the artifacts of the `js` and `wasm` runtimes: each build in a process of its own (child.ts), at
// most a few at a time, none twice. Does not load what it builds: that is the caller's check.
import { join } from 'node:path'

import type { FileSet } from '#core/artifact'
import type { BuildOutput, BuildProgress, Draft } from '#core/build'
import { type Clock, systemClock } from '#core/clock'

import { Semaphore } from '../../../semaphore.ts'
import { buildKey, createBuildCache } from './build-cache.ts'
import { type ProcessLimits, runBuild } from './builder-process.ts'
import { practiceDraft } from './practice.ts'
import { installStarlingMonkey } from './starlingmonkey-install.ts'
import { toolchainOf } from './toolchain.ts'

export interface WasmBuilderOptions {
  /** For finished builds, compiled code of the tools and the StarlingMonkey toolchain. Made when it is not there. */
  readonly cacheDir: string
  /** Builds at the same time; others wait. Each takes a core and 250 MB. */
  readonly concurrency?: number
  readonly limits?: ProcessLimits
  readonly clock?: Clock
}

export interface WasmBuilder extends AsyncDisposable {
  /**
   * @throws PlatformError `build-failed` with diagnostics; `driver-unavailable` when the engine cannot be installed;
   * the signal's reason when aborted
   */
  build(draft: Draft, onProgress: (progress: BuildProgress) => void, signal: AbortSignal): Promise<BuildOutput>
  /**
   * The function that spare workers of the host practise with, of this toolchain.
   * @param orBuild whether to build it when it was not built before
   * @returns undefined when it was not
   * @throws as `build`
   */
  practice(orBuild: boolean): Promise<FileSet | undefined>
  /** Stops the builds that are under way, and resolves when their processes are gone. */
  [Symbol.asyncDispose](): Promise<void>
}

const LIMITS: ProcessLimits = { timeoutMs: 60_000, memoryMiB: 1536 }

export function createWasmBuilder(options: WasmBuilderOptions): WasmBuilder {
  const { cacheDir, concurrency = 2, limits = LIMITS, clock = systemClock } = options
  const cache = createBuildCache(join(cacheDir, 'builds'), () => clock.now())
  const slots = new Semaphore(concurrency)
  const closing = new AbortController()
  const running = new Set<Promise<unknown>>()

  async function make(
    draft: Draft,
    onProgress: (progress: BuildProgress) => void,
    signal: AbortSignal,
  ): Promise<FileSet> {
    const { runtime, engine, handler, memoryMiB } = draft.spec
    const needsInstall = runtime === 'js' && engine === 'starlingmonkey'
    const starlingMonkeyDir = needsInstall ? await installStarlingMonkey(cacheDir, onProgress, signal) : ''
    using _slot = await slots.acquire(signal)
    const job = { source: draft.source, spec: { runtime, engine, handler, memoryMiB }, starlingMonkeyDir }
    return runBuild(job, { limits, clock, compileCacheDir: join(cacheDir, 'compile'), onProgress }, signal)
  }

  async function build(
    draft: Draft,
    onProgress: (progress: BuildProgress) => void,
    signal: AbortSignal,
  ): Promise<BuildOutput> {
    const toolchain = await toolchainOf(draft.spec.runtime, draft.spec.engine)
    const key = buildKey(draft, toolchain)
    const known = await cache.get(key)
    if (known !== undefined) {
      onProgress({ step: 'cache', message: 'built before' })
      return { artifact: known, toolchain }
    }
    const artifact = await make(draft, onProgress, signal)
    await cache.put(key, artifact)
    return { artifact, toolchain }
  }

  async function run(
    draft: Draft,
    onProgress: (progress: BuildProgress) => void,
    signal: AbortSignal,
  ): Promise<BuildOutput> {
    const task = build(draft, onProgress, signal)
    running.add(task)
    try {
      return await task
    } finally {
      running.delete(task)
    }
  }

  return {
    build: (draft, onProgress, signal) => run(draft, onProgress, AbortSignal.any([signal, closing.signal])),
    async practice(orBuild) {
      const draft = practiceDraft()
      if (orBuild) return (await run(draft, () => {}, closing.signal)).artifact
      return cache.get(buildKey(draft, await toolchainOf(draft.spec.runtime, draft.spec.engine)))
    },
    async [Symbol.asyncDispose]() {
      closing.abort(new Error('the builder was disposed of'))
      await Promise.allSettled(running)
    },
  }
}
