// Builds the artifacts of the `js` and `wasm` runtimes. Whether an artifact loads is checked by the caller.
import { join } from 'node:path'

import type { BuildOutput, BuildProgress, Draft } from '#core/build'
import { systemClock, type Clock } from '#core/clock'

import { runBuild } from './builder-process.ts'

export interface WasmBuilderOptions {
  /** Ours alone; made when it is not there. */
  readonly cacheDir: string
  readonly clock?: Clock
}

export interface WasmBuilder extends AsyncDisposable {
  /**
   * @throws PlatformError `build-failed` with diagnostics; the signal's reason when aborted
   */
  build(draft: Draft, onProgress: (progress: BuildProgress) => void, signal: AbortSignal): Promise<BuildOutput>
}

const LIMITS = { timeoutMs: 60_000, memoryMiB: 1536 }

export function createWasmBuilder({ cacheDir, clock = systemClock }: WasmBuilderOptions): WasmBuilder {
  return {
    async build(draft, onProgress, signal) {
      const job = { source: draft.source, spec: draft.spec, starlingMonkeyDir: '' }
      const compileCacheDir = join(cacheDir, 'compile')
      const artifact = await runBuild(job, { limits: LIMITS, clock, compileCacheDir, onProgress }, signal)
      return { artifact, toolchain: 'componentize-qjs 0.4.5, jco-transpile 0.15.0, esbuild 0.28.2' }
    },
    async [Symbol.asyncDispose]() {},
  }
}
