// The seam between what takes an upload (gateway) and what makes it runnable (invoker/build).
import type { FileSet } from './artifact.ts'
import { PlatformError } from './errors.ts'
import type { FunctionSpec } from './function.ts'
import type { FunctionName } from './ids.ts'

/** What is to be built. A single uploaded file has a conventional path: `index.js`, `index.ts`, `main.py`, `main.wasm`. */
export interface Draft {
  readonly name: FunctionName
  readonly spec: FunctionSpec
  readonly source: FileSet
}

/** A step of a build, for whoever watches. */
export interface BuildProgress {
  /** `bundle`, `componentize`, `transpile`, `check`, `image` … */
  readonly step: string
  readonly message: string
}

export interface BuildOutput {
  /**
   * What a sandbox of this runtime loads. Same draft and toolchain, same bytes, but for compiled code that engines do
   * not make the same twice: a version is told by its source (core/digest.ts).
   */
  readonly artifact: FileSet
  /** Names and versions of what built it. */
  readonly toolchain: string
}

/** A place in the user's code. Lines and columns count from 1. */
export interface Diagnostic {
  readonly message: string
  readonly file?: string
  readonly line?: number
  readonly column?: number
  /** The source line. */
  readonly excerpt?: string
}

export interface Builder {
  /**
   * Makes a draft runnable and proves that it loads.
   * @throws PlatformError `build-failed` with `diagnostics`; `driver-unavailable` when nothing here runs the runtime
   */
  build(draft: Draft, onProgress: (progress: BuildProgress) => void, signal: AbortSignal): Promise<BuildOutput>
}

export function buildFailed(diagnostics: readonly Diagnostic[], cause?: unknown): PlatformError {
  const first = diagnostics[0]
  const place = first?.file === undefined ? '' : ` at ${first.file}${first.line === undefined ? '' : `:${first.line}`}`
  return new PlatformError('build-failed', {
    detail: `${first?.message ?? 'the builder failed'}${place}`,
    members: { diagnostics },
    cause,
  })
}
