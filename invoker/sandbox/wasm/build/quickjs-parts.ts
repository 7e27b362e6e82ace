// Which core module of a component of componentize-qjs is which. The host links them itself (host/quickjs/link.ts), so
// they must be what it knows: tried out here, so that another version fails its first build and not a call.
import { link, type PartName } from '../host/quickjs/link.ts'

/** Something that each part has, and no other. */
const MARKS: readonly (readonly [PartName, (module: WebAssembly.Module) => boolean])[] = [
  ['main', (module) => exportsOf(module, 'componentize_qjs_runtime.wasm:memory_base')],
  ['adapter', (module) => exportsOf(module, 'cabi_import_realloc')],
  ['engine', (module) => exportsOf(module, 'wit_dylib_initialize')],
  ['types', (module) => exportsOf(module, '[async-lift]handle')],
  ['table', (module) => exportsOf(module, '$imports')],
  ['start', (module) => WebAssembly.Module.imports(module).some((each) => each.module === 'actual')],
]

/**
 * @param cores all of the component, under whatever names
 * @returns those that the host links. The others belong to the loader of modules, which always traps.
 * @throws Error when the host could not run them
 */
export function quickJsParts(cores: ReadonlyMap<string, Uint8Array>): Map<PartName, Uint8Array> {
  const modules = [...cores.values()].map((bytes) => ({ bytes, module: new WebAssembly.Module(bytes) }))
  const parts = MARKS.map(([name, isIt]) => {
    const [found, ...more] = modules.filter(({ module }) => isIt(module))
    if (found !== undefined && more.length === 0) return { name, ...found }
    throw new Error(
      `expected one core module of QuickJS that is its ${name}: found ${more.length + Number(found !== undefined)}`,
    )
  })
  link(new Map(parts.map(({ name, module }) => [name, module])), () => ({}))
  return new Map(parts.map(({ name, bytes }) => [name, bytes]))
}

function exportsOf(module: WebAssembly.Module, name: string): boolean {
  return WebAssembly.Module.exports(module).some((each) => each.name === name)
}
