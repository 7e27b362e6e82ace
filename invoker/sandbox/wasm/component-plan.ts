// How the core modules of a component come together, as the component itself says: read from it by the builder
// (build/component-plan.ts), followed by the host (host/component/link.ts). JSON in the artifact.

export type PrimitiveName =
  | 'bool'
  | 's8'
  | 'u8'
  | 's16'
  | 'u16'
  | 's32'
  | 'u32'
  | 's64'
  | 'u64'
  | 'f32'
  | 'f64'
  | 'char'
  | 'string'

/** A primitive, or the index of a type of the plan. */
export type TypeRef = PrimitiveName | number

/** A case or field without a type has null. A type refers only to types before it. */
export type ComponentType =
  | { readonly kind: 'record'; readonly fields: readonly (readonly [name: string, type: TypeRef])[] }
  | { readonly kind: 'variant'; readonly cases: readonly (readonly [name: string, type: TypeRef | null])[] }
  | { readonly kind: 'list'; readonly item: TypeRef }
  | { readonly kind: 'tuple'; readonly items: readonly TypeRef[] }
  | { readonly kind: 'flags' | 'enum'; readonly names: readonly string[] }
  | { readonly kind: 'option'; readonly item: TypeRef }
  | { readonly kind: 'result'; readonly ok: TypeRef | null; readonly error: TypeRef | null }
  /** As in `wasi:http/types.fields`. */
  | { readonly kind: 'own' | 'borrow'; readonly resource: string }

/** An export of a core instance, or a function that the host gives. */
export type CoreItem = CoreExport | { readonly function: number }

export interface CoreExport {
  readonly instance: number
  readonly name: string
}

export type HostFunction =
  | {
      readonly kind: 'lower'
      /** Without a version. */
      readonly interface: string
      /** As in WIT's binary form: `[method]fields.append`. */
      readonly name: string
      readonly params: readonly TypeRef[]
      readonly result: TypeRef | null
      readonly memory: CoreItem | null
      readonly realloc: CoreItem | null
    }
  | { readonly kind: 'drop'; readonly resource: string }

export type CoreInstancePlan =
  /** A core of the manifest; its imports by the names of instances. */
  | { readonly core: string; readonly imports: readonly (readonly [name: string, instance: number])[] }
  | { readonly items: readonly (readonly [name: string, item: CoreItem])[] }

export interface ComponentPlan {
  readonly types: readonly ComponentType[]
  readonly functions: readonly HostFunction[]
  /** In the order in which they are made. */
  readonly instances: readonly CoreInstancePlan[]
  /** wasi:http/incoming-handler.handle: takes a request and a response-outparam, and gives nothing. */
  readonly handle: CoreItem
  /** The resources of its two parameters. */
  readonly takes: readonly [request: string, out: string]
}
