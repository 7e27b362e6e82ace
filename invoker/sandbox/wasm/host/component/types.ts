// The types of a plan as the canonical ABI of the component model lays them out: in memory, and flat as core values.
import type { ComponentType, PrimitiveName, TypeRef } from '../../component-plan.ts'

/** Of a core value. */
export type FlatType = 'i32' | 'i64' | 'f32' | 'f64'

interface Layout {
  /** Bytes. */
  readonly size: number
  readonly align: number
  /** Cut off at more than MAX_FLAT: then it travels in memory. */
  readonly flat: readonly FlatType[]
}

export interface Field {
  /** As JavaScript has it. */
  readonly name: string
  readonly type: ValueType
  readonly offset: number
}

export interface Case {
  readonly name: string
  readonly type: ValueType | undefined
}

interface Cases {
  readonly cases: readonly Case[]
  readonly tagSize: number
  readonly payloadOffset: number
}

export type ValueType = Layout &
  (
    | { readonly kind: PrimitiveName }
    | { readonly kind: 'record' | 'tuple'; readonly fields: readonly Field[] }
    | ({ readonly kind: 'variant' | 'enum' | 'option' | 'result' } & Cases)
    | { readonly kind: 'flags'; readonly names: readonly string[] }
    | { readonly kind: 'list'; readonly item: ValueType }
    | { readonly kind: 'own' | 'borrow'; readonly resource: string }
  )

/** More core values than this travel in memory, as the parameters of a function. */
export const MAX_FLAT = 16
const WORD = 4
const SIZES: Readonly<Record<PrimitiveName, readonly [size: number, flat: FlatType]>> = {
  bool: [1, 'i32'],
  s8: [1, 'i32'],
  u8: [1, 'i32'],
  s16: [2, 'i32'],
  u16: [2, 'i32'],
  s32: [4, 'i32'],
  u32: [4, 'i32'],
  s64: [8, 'i64'],
  u64: [8, 'i64'],
  f32: [4, 'f32'],
  f64: [8, 'f64'],
  char: [4, 'i32'],
  string: [8, 'i32'],
}
const PRIMITIVES = Object.fromEntries(
  Object.entries(SIZES).map(([kind, [size, flat]]) => [
    kind,
    kind === 'string' ? { kind, ...pointerAndLength() } : { kind, size, align: size, flat: [flat] },
  ]),
) as Record<PrimitiveName, ValueType>

export type ResolveType = (ref: TypeRef) => ValueType

export function valueTypes(types: readonly ComponentType[]): ResolveType {
  const known: ValueType[] = []
  const resolve = (ref: TypeRef): ValueType => {
    const type = typeof ref === 'string' ? PRIMITIVES[ref] : known[ref]
    if (type === undefined) throw new Error(`the plan has no type ${ref}`)
    return type
  }
  for (const type of types) known.push(valueType(type, resolve))
  return resolve
}

/** What is laid out one after the other: fields of a record, parameters of a function. */
export function sequence(types: readonly (readonly [name: string, type: ValueType])[]): Layout & { fields: Field[] } {
  let size = 0
  let align = 1
  const fields = types.map(([name, type]) => {
    const offset = aligned(size, type.align)
    size = offset + type.size
    align = Math.max(align, type.align)
    return { name, type, offset }
  })
  return { fields, size: aligned(size, align), align, flat: cut(types.map(([, type]) => type.flat)) }
}

/** `path-with-query` → `pathWithQuery`. */
export function camelCase(name: string): string {
  return name.replace(/-(.)/g, (_, letter: string) => letter.toUpperCase())
}

function valueType(type: ComponentType, resolve: ResolveType): ValueType {
  const optional = (ref: TypeRef | null): ValueType | undefined => (ref === null ? undefined : resolve(ref))
  switch (type.kind) {
    case 'record':
      return { kind: 'record', ...sequence(type.fields.map(([name, ref]) => [camelCase(name), resolve(ref)])) }
    case 'tuple':
      return { kind: 'tuple', ...sequence(type.items.map((ref) => ['', resolve(ref)])) }
    case 'list':
      return { kind: 'list', item: resolve(type.item), ...pointerAndLength() }
    case 'variant':
      return { kind: 'variant', ...choice(type.cases.map(([name, ref]) => ({ name, type: optional(ref) }))) }
    case 'enum':
      return { kind: 'enum', ...choice(type.names.map((name) => ({ name, type: undefined }))) }
    case 'option':
      return { kind: 'option', ...choice([none('none'), { name: 'some', type: resolve(type.item) }]) }
    case 'result':
      return {
        kind: 'result',
        ...choice([
          { name: 'ok', type: optional(type.ok) },
          { name: 'err', type: optional(type.error) },
        ]),
      }
    case 'flags':
      return flagsOf(type.names)
    case 'own':
    case 'borrow':
      return { kind: type.kind, resource: type.resource, size: WORD, align: WORD, flat: ['i32'] }
    default:
      return type satisfies never
  }
}

function none(name: string): Case {
  return { name, type: undefined }
}

function choice(cases: readonly Case[]): Layout & Cases {
  const tagSize = cases.length <= 0x100 ? 1 : cases.length <= 0x1_0000 ? 2 : WORD
  const align = Math.max(tagSize, ...cases.map(({ type }) => type?.align ?? 1))
  const payloadOffset = aligned(tagSize, Math.max(1, ...cases.map(({ type }) => type?.align ?? 1)))
  const size = aligned(payloadOffset + Math.max(0, ...cases.map(({ type }) => type?.size ?? 0)), align)
  const payload: FlatType[] = []
  for (const { type } of cases) {
    for (const [index, flat] of (type?.flat ?? []).entries()) payload[index] = joined(payload[index] ?? flat, flat)
  }
  return { cases, tagSize, payloadOffset, size, align, flat: cut([['i32'], payload]) }
}

function flagsOf(names: readonly string[]): ValueType {
  const size = names.length <= 8 ? 1 : names.length <= 16 ? 2 : WORD
  return { kind: 'flags', names: names.map(camelCase), size, align: size, flat: ['i32'] }
}

/** The core type that both fit into. */
function joined(one: FlatType, other: FlatType): FlatType {
  if (one === other) return one
  return [one, other].every((type) => type === 'i32' || type === 'f32') ? 'i32' : 'i64'
}

function pointerAndLength(): Layout {
  return { size: 2 * WORD, align: WORD, flat: ['i32', 'i32'] }
}

function cut(parts: readonly (readonly FlatType[])[]): FlatType[] {
  return parts.flat().slice(0, MAX_FLAT + 1)
}

function aligned(offset: number, align: number): number {
  return Math.ceil(offset / align) * align
}
