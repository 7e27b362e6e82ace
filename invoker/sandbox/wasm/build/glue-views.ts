// Glue that takes the views through which it writes into memory as an argument, so that the host can watch them. There
// is no default: a host that does not watch must not run it.
import { replaceOnce } from './replace-once.ts'

const VIEWS =
  'DataView, Int8Array, Uint8Array, Uint8ClampedArray, Int16Array, Uint16Array, Int32Array, Uint32Array, BigInt64Array, BigUint64Array, Float16Array, Float32Array, Float64Array'
const SIGNATURE = 'instantiate(getCoreModule, imports, instantiateCore = WebAssembly.instantiate) {'
const WITH_VIEWS = `instantiate(getCoreModule, imports, instantiateCore = WebAssembly.instantiate, { ${VIEWS} }) {`

/** @throws Error when jco generates what could write into memory by another way than the names of the views */
export function withViews(glue: string): string {
  const [before = ''] = glue.split(SIGNATURE)
  const elsewhere = /globalThis\s*(?:\.\s*\w*(?:View|Array)|\[)|\bBuffer\b|\bAtomics\b/.exec(glue)
  if (elsewhere !== null) throw new Error(`expected glue that writes through views only: found ${elsewhere[0]}`)
  if (/\bnew\s+\w*(?:Array|View)\b/.test(before)) throw new Error('expected all glue inside instantiate()')
  return replaceOnce(glue, { what: 'the signature of instantiate of jco', search: SIGNATURE, replacement: WITH_VIEWS })
}
