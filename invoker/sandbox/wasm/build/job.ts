// What the builder process and the platform say to each other, over node's IPC channel with structured clones.
// Building itself is in child.ts and what it imports; nothing of that is loaded into the platform's process.
import type { BuildProgress, Diagnostic } from '#core/build'
import type { FunctionSpec } from '#core/function'

/** The platform's only message: one process, one job. */
export interface BuildJob {
  readonly source: ReadonlyMap<string, Uint8Array>
  readonly spec: Pick<FunctionSpec, 'runtime' | 'engine' | 'handler' | 'memoryMiB'>
  /** node_modules of the installed StarlingMonkey toolchain; empty for the other engines. */
  readonly starlingMonkeyDir: string
}

export type BuildMessage =
  | { readonly kind: 'progress'; readonly progress: BuildProgress }
  | { readonly kind: 'built'; readonly artifact: ReadonlyMap<string, Uint8Array> }
  /** The user's doing. */
  | { readonly kind: 'refused'; readonly diagnostics: readonly Diagnostic[] }
  /** Ours. */
  | { readonly kind: 'broken'; readonly error: string }

export type Report = (step: string, message: string) => void

/** Thrown anywhere in a build when the upload is at fault. */
export class Refusal extends Error {
  readonly diagnostics: readonly Diagnostic[]

  constructor(...diagnostics: readonly Diagnostic[]) {
    super(diagnostics[0]?.message)
    this.diagnostics = diagnostics
  }
}
