// Component → ES module and core modules that the Wasm host can instantiate.
import { transpileBytes } from '@bytecodealliance/jco-transpile'

import { patchByteLists } from './byte-lists.ts'
import { slimGlue } from './slim-glue.ts'
import { patchTickLoop } from './tick-loop.ts'

export interface Transpiled {
  readonly glue: string
  /** By the name that the glue asks for. */
  readonly cores: ReadonlyMap<string, Uint8Array>
  /** Interfaces without versions, as in `wasi:io/streams`. */
  readonly imports: readonly string[]
  readonly exports: readonly string[]
}

/** What waits in the host: the guest is suspended meanwhile (JSPI) instead of blocking the thread. */
const ASYNC_IMPORTS = [
  'wasi:io/poll#poll',
  'wasi:io/poll#[method]pollable.block',
  'wasi:io/streams#[method]input-stream.blocking-read',
  'wasi:io/streams#[method]input-stream.blocking-skip',
  'wasi:io/streams#[method]output-stream.blocking-flush',
  'wasi:io/streams#[method]output-stream.blocking-write-and-flush',
  'wasi:io/streams#[method]output-stream.blocking-write-zeroes-and-flush',
  'wasi:io/streams#[method]output-stream.blocking-splice',
]
const ASYNC_EXPORTS = ['wasi:http/incoming-handler#handle', 'handle']

export async function transpile(component: Uint8Array): Promise<Transpiled> {
  const { files, imports, exports } = await split(component)
  const glue = files['component.js']
  if (glue === undefined) throw new Error('jco gave no component.js')
  return {
    glue: await slimGlue(patchByteLists(patchTickLoop(new TextDecoder().decode(glue)))),
    cores: coresOf(files),
    imports,
    exports: exports.map(([name]) => name),
  }
}

/** The core modules of a component, for who links them without glue. */
export async function coreModules(component: Uint8Array): Promise<ReadonlyMap<string, Uint8Array>> {
  return coresOf((await split(component)).files)
}

function split(component: Uint8Array): ReturnType<typeof transpileBytes> {
  return transpileBytes(component, {
    name: 'component',
    instantiation: 'async',
    asyncMode: 'jspi',
    asyncImports: ASYNC_IMPORTS,
    asyncExports: ASYNC_EXPORTS,
    emitTypescriptDeclarations: false,
  })
}

function coresOf(files: Readonly<Record<string, Uint8Array>>): ReadonlyMap<string, Uint8Array> {
  return new Map(Object.entries(files).filter(([path]) => path.endsWith('.wasm')))
}
