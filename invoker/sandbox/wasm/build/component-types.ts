// Reads the types of a component: what its imports are functions of. Only what an interface of WASI 0.2 is made of.
import type { ComponentType, PrimitiveName, TypeRef } from '../component-plan.ts'
import type { Reader } from './binary.ts'

/** Thrown for what is valid and not read here: the component is then run with jco's glue. */
export class NotPlain extends Error {}

/** Named when it is known which interface exports it. */
export interface Resource {
  id: string
}

/** As ComponentType, before resources have names. */
type Draft = ComponentType | { readonly kind: 'own' | 'borrow'; readonly of: Resource }

export interface FunctionType {
  readonly kind: 'function'
  readonly params: readonly TypeRef[]
  readonly result: TypeRef | null
}
export interface InstanceType {
  readonly kind: 'instance'
  readonly functions: ReadonlyMap<string, FunctionType>
  readonly types: ReadonlyMap<string, Type>
  /** Those that it brings itself, by their names. */
  readonly resources: ReadonlyMap<string, Resource>
}
export type Type =
  | { readonly kind: 'value'; readonly ref: TypeRef }
  | { readonly kind: 'resource'; readonly resource: Resource }
  | FunctionType
  | InstanceType

export const Sort = { core: 0x00, function: 0x01, type: 0x03, component: 0x04, instance: 0x05 } as const
const PRIMITIVES: Readonly<Record<number, PrimitiveName>> = {
  0x7f: 'bool',
  0x7e: 's8',
  0x7d: 'u8',
  0x7c: 's16',
  0x7b: 'u16',
  0x7a: 's32',
  0x79: 'u32',
  0x78: 's64',
  0x77: 'u64',
  0x76: 'f32',
  0x75: 'f64',
  0x74: 'char',
  0x73: 'string',
}
const Form = {
  record: 0x72,
  variant: 0x71,
  list: 0x70,
  tuple: 0x6f,
  flags: 0x6e,
  enum: 0x6d,
  option: 0x6b,
  result: 0x6a,
  own: 0x69,
  borrow: 0x68,
  instance: 0x42,
  function: 0x40,
} as const
const Declaration = { type: 0x01, alias: 0x02, export: 0x04 } as const
const ALIAS_OUTER = 0x02
const BOUND_EQUAL = 0x00
/** Single bytes from here on are negative numbers in LEB128: primitives, and not indices. */
const NEGATIVE = 0x40
const decoder = new TextDecoder()

/** All value types of a component, in one list. */
export class TypeTable {
  readonly #drafts: Draft[] = []

  add(draft: Draft): TypeRef {
    return this.#drafts.push(draft) - 1
  }

  finish(): ComponentType[] {
    return this.#drafts.map((draft) => ('of' in draft ? { kind: draft.kind, resource: draft.of.id } : draft))
  }
}

/** The types that are known in a component, or in a type of an instance within. */
export class TypeScope {
  readonly #table: TypeTable
  readonly #types: Type[] = []
  readonly #outer: TypeScope | undefined

  constructor(table: TypeTable, outer?: TypeScope) {
    this.#table = table
    this.#outer = outer
  }

  add(type: Type): void {
    this.#types.push(type)
  }

  get(index: number): Type {
    const type = this.#types[index]
    if (type === undefined) throw new NotPlain(`no type ${index}`)
    return type
  }

  /** A definition, which is added. */
  define(reader: Reader): void {
    this.add(this.#definition(reader))
  }

  resourceAt(index: number): Resource {
    const type = this.get(index)
    if (type.kind !== 'resource') throw new NotPlain('expected a resource')
    return type.resource
  }

  #definition(reader: Reader): Type {
    const form = reader.byte()
    if (form === Form.function) return this.#function(reader)
    if (form === Form.instance) return new TypeScope(this.#table, this).#instance(reader)
    const primitive = PRIMITIVES[form]
    return { kind: 'value', ref: primitive ?? this.#table.add(this.#value(form, reader)) }
  }

  #value(form: number, reader: Reader): Draft {
    switch (form) {
      case Form.record:
        return { kind: 'record', fields: vector(reader, () => [name(reader), this.#ref(reader)] as const) }
      case Form.variant:
        return { kind: 'variant', cases: vector(reader, () => this.#case(reader)) }
      case Form.list:
        return { kind: 'list', item: this.#ref(reader) }
      case Form.tuple:
        return { kind: 'tuple', items: vector(reader, () => this.#ref(reader)) }
      case Form.flags:
        return { kind: 'flags', names: vector(reader, () => name(reader)) }
      case Form.enum:
        return { kind: 'enum', names: vector(reader, () => name(reader)) }
      case Form.option:
        return { kind: 'option', item: this.#ref(reader) }
      case Form.result:
        return { kind: 'result', ok: this.#optional(reader), error: this.#optional(reader) }
      case Form.own:
        return { kind: 'own', of: this.resourceAt(reader.u32()) }
      case Form.borrow:
        return { kind: 'borrow', of: this.resourceAt(reader.u32()) }
      default:
        throw new NotPlain(`a type of the form 0x${form.toString(16)}`)
    }
  }

  #function(reader: Reader): FunctionType {
    const params = vector(reader, () => {
      name(reader)
      return this.#ref(reader)
    })
    if (reader.byte() === 0) return { kind: 'function', params, result: this.#ref(reader) }
    if (reader.byte() !== 0) throw new NotPlain('results with names')
    return { kind: 'function', params, result: null }
  }

  #instance(reader: Reader): InstanceType {
    const functions = new Map<string, FunctionType>()
    const types = new Map<string, Type>()
    const resources = new Map<string, Resource>()
    vector(reader, () => {
      const declaration = reader.byte()
      if (declaration === Declaration.type) return this.define(reader)
      if (declaration === Declaration.alias) return this.#aliasOuter(reader)
      if (declaration !== Declaration.export) throw new NotPlain('a declaration of an instance')
      const exported = externName(reader)
      const type = this.described(reader)
      if (type.kind === 'function') return void functions.set(exported, type)
      this.add(type)
      types.set(exported, type)
      // Another name for one that it has is not another resource.
      const own =
        type.kind === 'resource' && type.resource.id === '' && !resources.values().some((one) => one === type.resource)
      if (own) resources.set(exported, type.resource)
    })
    return { kind: 'instance', functions, types, resources }
  }

  /** What an import or export is, by its description. A resource that it brings has no name yet. */
  described(reader: Reader): Type {
    const sort = reader.byte()
    if (sort === Sort.function || sort === Sort.instance) {
      const type = this.get(reader.u32())
      if (type.kind === 'function' || type.kind === 'instance') return type
      throw new NotPlain('a description of another sort')
    }
    if (sort !== Sort.type) throw new NotPlain('a description of something else than functions and types')
    return reader.byte() === BOUND_EQUAL ? this.get(reader.u32()) : { kind: 'resource', resource: { id: '' } }
  }

  #aliasOuter(reader: Reader): void {
    if (reader.byte() !== Sort.type || reader.byte() !== ALIAS_OUTER) throw new NotPlain('an alias in an instance')
    // Nothing in a plain component is further in than the type of an instance.
    if (reader.u32() !== 1 || this.#outer === undefined) throw new NotPlain('an alias of something further out')
    this.add(this.#outer.get(reader.u32()))
  }

  #case(reader: Reader): readonly [string, TypeRef | null] {
    const label = name(reader)
    const type = this.#optional(reader)
    if (reader.byte() !== 0) throw new NotPlain('a case that refines another')
    return [label, type]
  }

  #optional(reader: Reader): TypeRef | null {
    return reader.byte() === 0 ? null : this.#ref(reader)
  }

  #ref(reader: Reader): TypeRef {
    const start = reader.offset
    const first = reader.byte()
    if (first >= NEGATIVE && first < 0x80) {
      const primitive = PRIMITIVES[first]
      if (primitive === undefined) throw new NotPlain(`a type 0x${first.toString(16)}`)
      return primitive
    }
    reader.offset = start
    const type = this.get(reader.u32())
    if (type.kind !== 'value') throw new NotPlain('expected a type of values')
    return type.ref
  }
}

export function vector<T>(reader: Reader, item: () => T): T[] {
  return Array.from({ length: reader.u32() }, item)
}

export function name(reader: Reader): string {
  return decoder.decode(reader.take(reader.u32()))
}

/** Of an import or export. */
export function externName(reader: Reader): string {
  if (reader.byte() > 1) throw new NotPlain('a name with more than itself')
  return name(reader)
}
