// Puts the core modules of a QuickJS component together, as the component says and jco's glue would: the user's snapshot
// with the memory (main), the engine, the types of our world (types), and two small ones that wit-component adds. The
// same for all functions but main. Modules of another shape do not link, and the deploy fails (build/quickjs-parts.ts).
import { Cores } from '../cores.ts'
import { GuestMemory, type Realloc } from '../guest-memory.ts'
import type { CoreFunction, CoreImports } from './wasi-functions.ts'

export type PartName = 'main' | 'adapter' | 'engine' | 'types' | 'table' | 'start'
export type Parts = ReadonlyMap<string, WebAssembly.Module>

type Exports = Record<string, unknown>
type ImportObject = Record<string, Exports>
type FunctionImport = Pick<ReturnType<typeof WebAssembly.Module.imports>[number], 'module' | 'name'>

/** The exported function of the world, with its callback: the asynchronous ABI of the component model. */
export interface Linked {
  readonly cores: Cores
  readonly handle: (...values: number[]) => number
  readonly callback: (event: number, waitable: number, result: number) => number
}

/** @param importsOf what the guest is given, once there is a memory */
export function link(parts: Parts, importsOf: (memory: GuestMemory) => CoreImports): Linked {
  const cores = new Cores()
  const instantiate = (name: PartName, imports: ImportObject): Exports => {
    const module = parts.get(name)
    if (module === undefined) throw new Error(`the artifact has no core "${name}"`)
    return cores.instantiate(module, imports).exports
  }
  // Its memory is not there yet when main wants the function.
  const late = { reset: (): unknown => undefined }
  const main = instantiate('main', { wasi_snapshot_preview1: { reset_adapter_state: () => late.reset() } })
  const memory = new GuestMemory(cores.memories[0]!)
  const given = importsOf(memory)
  const shared = { memory: main.memory, __indirect_function_table: main.__indirect_function_table }
  const adapter = instantiate('adapter', {
    ...imported(parts, 'adapter', given),
    __main_module__: { cabi_realloc: main.cabi_realloc },
    env: shared,
  })
  late.reset = adapter.reset_adapter_state as () => unknown
  const engine = instantiate('engine', {
    ...imported(parts, 'engine', given),
    'GOT.func': { cabi_realloc: main['componentize_qjs_runtime.wasm:cabi_realloc'] },
    'GOT.mem': { __heap_base: main.__heap_base, __heap_end: main.__heap_end },
    env: { ...shared, ...basesOf(main, 'componentize_qjs_runtime.wasm') },
    wasi_snapshot_preview1: { reset_adapter_state: main['wasi_snapshot_preview1:reset_adapter_state'] },
  })
  const types = instantiate('types', {
    ...imported(parts, 'types', given),
    env: { ...engine, ...shared, ...basesOf(main, 'wit-dylib.wasm') },
  })
  // What would be called through this table is given directly: its entries are never used.
  const table = instantiate('table', {})
  instantiate('start', {
    ...imported(parts, 'start', {}),
    'componentize_qjs_runtime.wasm': engine,
    'wit-dylib.wasm': types,
    main: shared,
    shim: table,
  })
  memory.realloc = types.cabi_realloc as Realloc
  return {
    cores,
    handle: types['[async-lift]handle'] as Linked['handle'],
    callback: types['[callback][async-lift]handle'] as Linked['callback'],
  }
}

function basesOf(main: Exports, library: string): Exports {
  return {
    __stack_pointer: main.__stack_pointer,
    __memory_base: main[`${library}:memory_base`],
    __table_base: main[`${library}:table_base`],
  }
}

/** The imported functions of a part, by their names with versions. Those that are not given trap when they are called. */
function imported(parts: Parts, name: PartName, given: CoreImports): Record<string, Record<string, CoreFunction>> {
  const imports: Record<string, Record<string, CoreFunction>> = {}
  for (const { module, name: wanted } of functionImports(parts.get(name))) {
    const group = (imports[module] ??= {})
    group[wanted] = given[module.replace(/@.*/, '')]?.[wanted] ?? notHere(`${module}.${wanted}`)
  }
  return imports
}

/** Asking a module for its imports costs as much as linking it: once for each. */
const known = new WeakMap<WebAssembly.Module, readonly FunctionImport[]>()

function functionImports(module: WebAssembly.Module | undefined): readonly FunctionImport[] {
  if (module === undefined) return []
  let imports = known.get(module)
  if (imports === undefined) {
    imports = WebAssembly.Module.imports(module).filter(({ kind }) => kind === 'function')
    known.set(module, imports)
  }
  return imports
}

function notHere(what: string): CoreFunction {
  return () => {
    throw new WebAssembly.RuntimeError(`unreachable: ${what} is not available`)
  }
}
