// What the Wasm builder hands to the Wasm host: the artifact's files and the manifest that says how to use them.

export const FORMAT = 2

/** `manifest.json` in every Wasm artifact. */
export interface WasmManifest {
  /** Another is of another Hearth, whose builds cannot be run. */
  readonly format: typeof FORMAT
  /**
   * `function`: exports `handle` of runtimes/js/wit/function.wit. `wasi-http`: exports wasi:http/incoming-handler@0.2.x.
   * `command`: a core WASI preview-1 module with `_start`, run without jco: request on stdin, CGI-style environment,
   * response on stdout.
   */
  readonly world: 'function' | 'wasi-http' | 'command'
  readonly engine: 'quickjs' | 'starlingmonkey' | 'none'
  /** Path of what jco generated (`instantiate` is its export); empty where it is not needed. */
  readonly glue: string
  /** Whether the glue is a script whose value has the exports (build/slim-glue.ts). Absent: an ES module. */
  readonly script?: boolean
  /** Path of how the cores come together (component-plan.ts), where that takes the place of glue. */
  readonly plan?: string
  /**
   * Names of core modules, and their paths in the artifact: those by which the glue asks for them, `main` alone for
   * `command`, for QuickJS the parts of host/quickjs/link.ts, else those of the plan.
   */
  readonly cores: Readonly<Record<string, string>>
  /** Whether restoring memory and exported globals gives a fresh instance: verified for this engine version. */
  readonly resettable: boolean
  /** Whether the exports of glue return promises (asyncMode jspi). */
  readonly async: boolean
  /** The function's name for its exports, when the world has more than one: `handle`, or the versioned wasi:http interface name. */
  readonly export: string
  /**
   * Whether call 0 runs all but the user's code: made once before the image of an instance is taken, so that what is
   * set up lazily is in the image. Absent: not.
   */
  readonly rehearses?: boolean
  /** Path of the source map of what the engine ran, for stacks (build/stack-map.ts); absent when there is none. */
  readonly sourceMap?: string
}

export const MANIFEST_PATH = 'manifest.json'

/**
 * The map of what was written, which build/written-map.ts adds to the cores of a resettable guest: a memory of its own
 * with one byte for each block of the guest's memory, 1 when something was written that begins in the block.
 */
export const WRITTEN = {
  /** Imported by the cores that use the memory as this; exported by the one that has it under `name`. */
  module: 'hearth',
  name: 'written',
  blockShift: 9,
  blockBytes: 512,
  /** A store may go on past its block by less than this. */
  spillBytes: 8,
} as const
