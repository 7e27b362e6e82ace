// Reads from a component how its core modules come together and what it wants of the host, so that the host can do it
// without code that is generated for each (component-plan.ts). Only for components as toolchains write them for WASI 0.2;
// the others, such as those that are composed of several, are run with jco's glue.
import type { ComponentPlan, CoreInstancePlan, CoreItem, HostFunction } from '../component-plan.ts'
import { Reader, sections } from './binary.ts'
import {
  externName,
  type FunctionType,
  type InstanceType,
  name,
  NotPlain,
  Sort,
  TypeScope,
  TypeTable,
  vector,
} from './component-types.ts'

export interface PlannedComponent {
  readonly plan: ComponentPlan
  /** By the names that the plan has for them. */
  readonly cores: ReadonlyMap<string, Uint8Array>
}

const Section = {
  custom: 0,
  coreModule: 1,
  coreInstance: 2,
  component: 4,
  instance: 5,
  alias: 6,
  type: 7,
  canon: 8,
  import: 10,
  export: 11,
} as const
const CoreSort = { function: 0x00, table: 0x01, memory: 0x02, global: 0x03 } as const
const Canon = { lift: 0x00, lower: 0x01, drop: 0x03 } as const
const Option = { utf8: 0x00, memory: 0x03, realloc: 0x04 } as const
const TARGET_EXPORT = 0x00
const TARGET_CORE_EXPORT = 0x01
const INSTANTIATE = 0x00
const HANDLE = /^wasi:http\/incoming-handler@0\.2\.\d+#handle$/

interface Imported {
  readonly interface: string
  readonly type: InstanceType
}
interface ImportedFunction {
  readonly interface: string
  readonly name: string
  readonly type: FunctionType
}
interface Options {
  memory: CoreItem | null
  realloc: CoreItem | null
}

/**
 * @param component valid
 * @returns undefined when it is not one of the plain ones
 */
export function planOf(component: Uint8Array): PlannedComponent | undefined {
  try {
    return new PlanReader().read(component)
  } catch (thrown) {
    if (thrown instanceof NotPlain) return undefined
    throw thrown
  }
}

/** What has an index of its own in a component, in the order of the sections. */
class PlanReader {
  readonly #table = new TypeTable()
  readonly #types = new TypeScope(this.#table)
  readonly #cores = new Map<string, Uint8Array>()
  readonly #coreInstances: CoreInstancePlan[] = []
  readonly #coreItems: Readonly<Record<number, CoreItem[]>> = {
    [CoreSort.function]: [],
    [CoreSort.table]: [],
    [CoreSort.memory]: [],
    [CoreSort.global]: [],
  }
  /** Undefined: one that only wraps what is exported. */
  readonly #instances: (Imported | undefined)[] = []
  readonly #functions: (ImportedFunction | undefined)[] = []
  readonly #given: HostFunction[] = []
  #handle: { readonly item: CoreItem; readonly takes: readonly [string, string] } | undefined

  read(component: Uint8Array): PlannedComponent {
    for (const { id, body } of sections(component)) this.#section(id, body)
    if (this.#handle === undefined) throw new NotPlain('no handler')
    const { item: handle, takes } = this.#handle
    const plan = { types: this.#table.finish(), functions: this.#given, instances: this.#coreInstances, handle, takes }
    return { plan, cores: this.#cores }
  }

  #section(id: number, body: Uint8Array): void {
    const reader = new Reader(body)
    switch (id) {
      case Section.coreModule:
        return void this.#cores.set(String(this.#cores.size), body)
      case Section.coreInstance:
        return void vector(reader, () => this.#coreInstance(reader))
      case Section.instance:
        return void vector(reader, () => this.#instance(reader))
      case Section.alias:
        return void vector(reader, () => this.#alias(reader))
      case Section.type:
        return void vector(reader, () => this.#types.define(reader))
      case Section.canon:
        return void vector(reader, () => this.#canon(reader))
      case Section.import:
        return void vector(reader, () => this.#import(reader))
      // The nested one that wit-component adds gives the exported function its type. All that we want of it is the name.
      case Section.component:
      case Section.export:
      case Section.custom:
        return undefined
      default:
        throw new NotPlain(`a section ${id}`)
    }
  }

  #import(reader: Reader): void {
    const imported = externName(reader)
    const type = this.#types.described(reader)
    if (type.kind !== 'instance') throw new NotPlain('an import that is not an interface')
    const bare = imported.replace(/@.*/, '')
    for (const [own, resource] of type.resources) {
      if (resource.id !== '') throw new NotPlain('two imports of one type')
      resource.id = `${bare}.${own}`
    }
    this.#instances.push({ interface: bare, type })
  }

  #coreInstance(reader: Reader): void {
    if (reader.byte() === INSTANTIATE) {
      const core = String(reader.u32())
      // Its memory would be there as often, and its limit with it.
      if (this.#coreInstances.some((each) => 'core' in each && each.core === core)) throw new NotPlain('a core twice')
      const imports = vector(reader, () => {
        const wanted = name(reader)
        reader.byte()
        return [wanted, reader.u32()] as const
      })
      this.#coreInstances.push({ core, imports })
      return
    }
    const items = vector(reader, () => [name(reader), this.#coreItem(reader.byte(), reader.u32())] as const)
    this.#coreInstances.push({ items })
  }

  #coreItem(sort: number, index: number): CoreItem {
    const item = this.#coreItems[sort]?.[index]
    if (item === undefined) throw new NotPlain('an item of another sort')
    return item
  }

  #instance(reader: Reader): void {
    const instantiates = reader.byte() === INSTANTIATE
    if (instantiates) reader.u32()
    vector(reader, () => {
      if (instantiates) name(reader)
      else externName(reader)
      if (reader.byte() === Sort.core) reader.byte()
      reader.u32()
    })
    this.#instances.push(undefined)
  }

  #alias(reader: Reader): void {
    const sort = reader.byte()
    const coreSort = sort === Sort.core ? reader.byte() : 0
    const target = reader.byte()
    const index = reader.u32()
    if (target === TARGET_CORE_EXPORT) {
      const items = this.#coreItems[coreSort]
      if (items === undefined) throw new NotPlain('an alias of another sort')
      items.push({ instance: index, name: name(reader) })
      return
    }
    if (target !== TARGET_EXPORT) throw new NotPlain('an alias of something further out')
    this.#aliasOfImport(sort, this.#instances[index], name(reader))
  }

  #aliasOfImport(sort: number, from: Imported | undefined, wanted: string): void {
    const type = from?.type.types.get(wanted)
    const called = from?.type.functions.get(wanted)
    if (sort === Sort.type && type !== undefined) this.#types.add(type)
    else if (sort === Sort.function && from !== undefined && called !== undefined)
      this.#functions.push({ interface: from.interface, name: wanted, type: called })
    else throw new NotPlain('an alias of what no import has')
  }

  #canon(reader: Reader): void {
    const kind = reader.byte()
    if (kind === Canon.drop) {
      this.#give({ kind: 'drop', resource: this.#types.resourceAt(reader.u32()).id })
      return
    }
    if (kind !== Canon.lift && kind !== Canon.lower) throw new NotPlain('a canonical function of another kind')
    reader.byte()
    const index = reader.u32()
    const options = this.#options(reader)
    if (kind === Canon.lower) return this.#lower(this.#functions[index], options)
    this.#lift(this.#coreItem(CoreSort.function, index), reader.u32())
  }

  #lower(imported: ImportedFunction | undefined, { memory, realloc }: Options): void {
    if (imported === undefined) throw new NotPlain('a function of its own that it wants lowered')
    const { params, result } = imported.type
    this.#give({ kind: 'lower', interface: imported.interface, name: imported.name, params, result, memory, realloc })
  }

  #lift(item: CoreItem, typeIndex: number): void {
    const type = this.#types.get(typeIndex)
    this.#functions.push(undefined)
    if (!('name' in item) || !HANDLE.test(item.name)) return
    if (type.kind !== 'function' || type.result !== null || this.#handle !== undefined) throw new NotPlain('a handler')
    const [request, out, ...more] = type.params.map((param) => this.#ownedResource(param))
    if (request === undefined || out === undefined || more.length > 0) throw new NotPlain('a handler of another type')
    this.#handle = { item, takes: [request, out] }
  }

  #ownedResource(ref: string | number): string {
    const type = typeof ref === 'number' ? this.#table.finish()[ref] : undefined
    if (type?.kind !== 'own') throw new NotPlain('a handler of another type')
    return type.resource
  }

  #give(given: HostFunction): void {
    this.#coreItems[CoreSort.function]?.push({ function: this.#given.push(given) - 1 })
  }

  #options(reader: Reader): Options {
    const options: Options = { memory: null, realloc: null }
    vector(reader, () => {
      const option = reader.byte()
      if (option === Option.utf8) return
      if (option === Option.memory) options.memory = this.#coreItem(CoreSort.memory, reader.u32())
      else if (option === Option.realloc) options.realloc = this.#coreItem(CoreSort.function, reader.u32())
      else throw new NotPlain('an option of another kind')
    })
    return options
  }
}
