// Puts the core modules of a component together as its plan says (component-plan.ts), with WASI lowered to what they
// import. The same code for all components, so that none has to be generated, loaded and compiled for each.
import type { ComponentPlan, CoreInstancePlan, CoreItem, HostFunction } from '../../component-plan.ts'
import { Cores } from '../cores.ts'
import { GuestMemory, type Realloc } from '../guest-memory.ts'
import { Handles } from './handles.ts'
import { hostFunction, type HostImports } from './host-function.ts'
import { MAX_FLAT, type ResolveType, sequence, type ValueType, valueTypes } from './types.ts'
import { type CoreValue, FlatValues, Values } from './values.ts'

type Exports = Record<string, unknown>
type HostCall = ReturnType<typeof hostFunction>
type Drop = Extract<HostFunction, { readonly kind: 'drop' }>
type Lowered = Extract<HostFunction, { readonly kind: 'lower' }>

export interface LinkedComponent {
  readonly cores: Cores
  /** Takes what the guest then owns. Rejects or throws what ends the guest. */
  readonly handle: (request: object, out: object) => Promise<void> | undefined
}

/** A function that a component imports, its types laid out. */
interface Signature extends Pick<Lowered, 'name' | 'memory' | 'realloc'> {
  readonly from: string
  readonly params: ReturnType<typeof sequence>
  readonly result: ValueType | undefined
  readonly waits: boolean
}

/** What makes a guest wait. It is suspended then, where it was called so that it can be (JSPI). */
const WAITS = /^(?:poll|\[method\](?:pollable\.block|(?:input|output)-stream\.blocking-[a-z-]+))$/

/** A component that can be linked many times. */
export class ComponentLinker {
  readonly #plan: ComponentPlan
  readonly #modules: ReadonlyMap<string, WebAssembly.Module>
  readonly #signatures: readonly (Signature | undefined)[]
  readonly #waits: boolean

  constructor(plan: ComponentPlan, modules: ReadonlyMap<string, WebAssembly.Module>) {
    this.#plan = plan
    this.#modules = modules
    const types = valueTypes(plan.types)
    this.#signatures = plan.functions.map((each) => (each.kind === 'lower' ? signatureOf(each, types) : undefined))
    this.#waits = this.#signatures.some((each) => each?.waits)
  }

  /** @throws what the start of a core throws */
  link(imports: HostImports): LinkedComponent {
    const { functions, handle, takes } = this.#plan
    const linking = new Linking()
    linking.given = functions.map((each, index) => {
      const signature = this.#signatures[index]
      if (signature !== undefined)
        return linking.lower(signature, hostFunction(imports, signature.from, signature.name))
      return (dropped: number) => void linking.handles.take((each as Drop).resource, dropped)
    })
    for (const each of this.#plan.instances) linking.instances.push(this.#instantiate(each, linking))
    const entry = linking.item(handle) as (request: number, out: number) => undefined
    const run = this.#waits ? WebAssembly.promising(entry) : entry
    const { handles, cores } = linking
    return { cores, handle: (request, out) => run(handles.add(takes[0], request), handles.add(takes[1], out)) }
  }

  #instantiate(instance: CoreInstancePlan, linking: Linking): Exports {
    if ('items' in instance) {
      return Object.fromEntries(instance.items.map(([name, item]) => [name, linking.item(item)]))
    }
    const module = this.#modules.get(instance.core)
    if (module === undefined) throw new Error(`the artifact has no core "${instance.core}"`)
    const wanted = instance.imports.map(([name, index]) => [name, linking.instances[index] ?? {}] as const)
    return linking.cores.instantiate(module, Object.fromEntries(wanted)).exports
  }
}

/** What there is of an instance of a component so far. */
class Linking {
  readonly cores = new Cores()
  readonly handles = new Handles()
  readonly instances: Exports[] = []
  given: readonly unknown[] = []

  item(item: CoreItem): unknown {
    return 'function' in item ? this.given[item.function] : this.instances[item.instance]?.[item.name]
  }

  /** As a core imports it. */
  lower(signature: Signature, call: HostCall): unknown {
    let values: Values | undefined
    const lowered = (...flat: CoreValue[]): unknown => {
      // Only now: the memory is not there yet when the function is made.
      const known = (values ??= this.#valuesOf(signature))
      const args = argumentsOf(signature, known, flat)
      let returned: unknown
      try {
        returned = call(args)
      } catch (thrown) {
        return give(signature, known, flat, failed(signature, thrown))
      }
      if (!(returned instanceof Promise)) return give(signature, known, flat, succeeded(signature, returned))
      return returned.then(
        (value: unknown) => give(signature, known, flat, succeeded(signature, value)),
        (thrown: unknown) => give(signature, known, flat, failed(signature, thrown)),
      )
    }
    return signature.waits ? new WebAssembly.Suspending(lowered) : lowered
  }

  #valuesOf({ memory, realloc }: Signature): Values {
    const found = memory === null ? undefined : this.item(memory)
    const wasm = found instanceof WebAssembly.Memory ? found : new WebAssembly.Memory({ initial: 0, maximum: 0 })
    const guest = new GuestMemory({ memory: wasm, written: undefined })
    if (realloc !== null) guest.realloc = this.item(realloc) as Realloc
    return new Values(guest, this.handles)
  }
}

function signatureOf(
  { interface: from, name, params, result, memory, realloc }: Lowered,
  types: ResolveType,
): Signature {
  const waits = WAITS.test(name)
  const resultType = result === null ? undefined : types(result)
  return {
    from,
    name,
    params: sequence(params.map((ref) => ['', types(ref)])),
    result: resultType,
    memory,
    realloc,
    waits,
  }
}

function argumentsOf({ params }: Signature, values: Values, flat: readonly CoreValue[]): unknown[] {
  if (params.flat.length > MAX_FLAT) {
    return params.fields.map(({ type, offset }) => values.load(type, Number(flat[0]) + offset))
  }
  const source = new FlatValues(flat)
  return params.fields.map(({ type }) => values.lift(type, source))
}

function succeeded({ result }: Signature, value: unknown): unknown {
  return result?.kind === 'result' ? { tag: 'ok', val: value } : value
}

/** The error of a result is thrown as a plain value; an Error ends the guest. */
function failed({ result }: Signature, thrown: unknown): unknown {
  if (result?.kind !== 'result' || thrown instanceof Error) throw thrown
  return { tag: 'err', val: thrown }
}

function give(
  { result }: Signature,
  values: Values,
  flat: readonly CoreValue[],
  value: unknown,
): CoreValue | undefined {
  if (result === undefined) return undefined
  if (result.flat.length <= 1) return values.lower(result, value)
  values.store(result, Number(flat.at(-1)), value)
  return undefined
}
