// Component → ES module and core modules that the Wasm host can instantiate.
import { transpileBytes } from '@bytecodealliance/jco-transpile'

import { patchTickLoop } from './tick-loop.ts'

export interface Transpiled {
  readonly glue: Uint8Array
  /** By the name that the glue asks for. */
  readonly cores: ReadonlyMap<string, Uint8Array>
  /** Names without versions, as in `wasi:io/streams`. */
  readonly imports: readonly string[]
  readonly exports: readonly string[]
}

/** @param mode whether exports return promises: `jspi` for the async world, `sync` otherwise */
export async function transpile(component: Uint8Array, mode: 'jspi' | 'sync'): Promise<Transpiled> {
  const { files, imports, exports } = await transpileBytes(component, {
    name: 'component',
    instantiation: 'async',
    asyncMode: mode,
    emitTypescriptDeclarations: false,
  })
  const entries = Object.entries(files)
  const source = files['component.js']
  if (source === undefined) throw new Error('jco gave no component.js')
  const text = new TextDecoder().decode(source)
  return {
    glue: new TextEncoder().encode(mode === 'jspi' ? patchTickLoop(text) : text),
    cores: new Map(entries.filter(([path]) => path.endsWith('.wasm'))),
    imports,
    exports: exports.map(([name]) => name),
  }
}
