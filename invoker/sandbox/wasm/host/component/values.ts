// Values between a guest and the host by the canonical ABI of the component model. In JavaScript they are as jco has
// them, for the same implementation of WASI serves both: an option is a value or undefined, a variant has `tag` and
// `val`, a list of bytes is a Uint8Array, 64 bits are a bigint, a resource is an object.
import type { PrimitiveName } from '../../component-plan.ts'
import type { GuestMemory } from '../guest-memory.ts'
import type { Handles } from './handles.ts'
import type { Case, FlatType, ValueType } from './types.ts'

export type CoreValue = number | bigint

interface Tagged {
  readonly tag: string
  readonly val?: unknown
}
type Cases = Extract<ValueType, { readonly cases: readonly Case[] }>
type Fields = Extract<ValueType, { readonly kind: 'record' | 'tuple' }>
type Scalar = Exclude<ValueType, Cases | Fields | { readonly kind: 'list' }>

const WORD = 4
const bits = new DataView(new ArrayBuffer(8))
/** What a core value says. Bits beyond the type's are not looked at. */
const PRIMITIVES: Readonly<Record<PrimitiveName, (value: CoreValue) => unknown>> = {
  bool: (value) => value !== 0,
  s8: (value) => (asI32(value) << 24) >> 24,
  u8: (value) => asI32(value) & 0xff,
  s16: (value) => (asI32(value) << 16) >> 16,
  u16: (value) => asI32(value) & 0xffff,
  s32: asI32,
  u32: (value) => asI32(value) >>> 0,
  s64: (value) => BigInt.asIntN(64, BigInt(value)),
  u64: (value) => BigInt.asUintN(64, BigInt(value)),
  f32: (value) => value,
  f64: (value) => value,
  char: (value) => character(asI32(value) >>> 0),
  string: (value) => value,
}

/** Core values, taken one after the other. */
export class FlatValues {
  readonly #values: readonly CoreValue[]
  #at = 0

  constructor(values: readonly CoreValue[]) {
    this.#values = values
  }

  next(): CoreValue {
    return this.#values[this.#at++] ?? 0
  }

  /** Those of a case are followed by what only other cases use. */
  skipTo(at: number): void {
    this.#at = at
  }

  get at(): number {
    return this.#at
  }
}

export class Values {
  readonly #memory: GuestMemory
  readonly #handles: Handles

  constructor(memory: GuestMemory, handles: Handles) {
    this.#memory = memory
    this.#handles = handles
  }

  /** From core values. */
  lift(type: ValueType, flat: FlatValues): unknown {
    if ('cases' in type) return this.#liftCase(type, flat)
    if ('fields' in type) return composed(type, (field) => this.lift(field.type, flat))
    if (type.kind === 'string') return this.#memory.text(asI32(flat.next()), asI32(flat.next()))
    if (type.kind === 'list') return this.#list(type.item, asI32(flat.next()), asI32(flat.next()))
    return this.#scalar(type, flat.next())
  }

  load(type: ValueType, at: number): unknown {
    if ('cases' in type) {
      const chosen = caseAt(type, this.#unsigned(at, type.tagSize))
      const value = chosen.type === undefined ? undefined : this.load(chosen.type, at + type.payloadOffset)
      return chosenValue(type, chosen, value)
    }
    if ('fields' in type) return composed(type, (field) => this.load(field.type, at + field.offset))
    if (type.kind === 'string') return this.#memory.text(this.#unsigned(at, WORD), this.#unsigned(at + WORD, WORD))
    if (type.kind === 'list') return this.#list(type.item, this.#unsigned(at, WORD), this.#unsigned(at + WORD, WORD))
    if (type.kind === 'f32') return this.#memory.toRead(at, type.size).getFloat32(at >>> 0, true)
    if (type.kind === 'f64') return this.#memory.toRead(at, type.size).getFloat64(at >>> 0, true)
    if (type.size > WORD) return this.#scalar(type, this.#memory.toRead(at, type.size).getBigUint64(at >>> 0, true))
    return this.#scalar(type, this.#unsigned(at, type.size))
  }

  store(type: ValueType, at: number, value: unknown): void {
    if ('cases' in type) {
      const { tag, val } = tagged(type, value)
      this.#setUnsigned(at, type.tagSize, tag)
      const payload = type.cases[tag]?.type
      if (payload !== undefined) this.store(payload, at + type.payloadOffset, val)
    } else if ('fields' in type) {
      for (const [index, field] of type.fields.entries()) {
        this.store(field.type, at + field.offset, part(type, value, index))
      }
    } else if (type.kind === 'string') this.#memory.setSlice(at, this.#memory.allocateText(String(value)))
    else if (type.kind === 'list') this.#memory.setSlice(at, this.#allocateList(type.item, value as ArrayLike<unknown>))
    else if (type.kind === 'f32') this.#memory.toWrite(at, type.size).setFloat32(at >>> 0, value as number, true)
    else if (type.kind === 'f64') this.#memory.toWrite(at, type.size).setFloat64(at >>> 0, value as number, true)
    else if (type.size > WORD) this.#memory.setU64(at, BigInt.asUintN(64, value as bigint))
    else this.#setUnsigned(at, type.size, this.#number(type, value))
  }

  /** A value that one core value carries. */
  lower(type: ValueType, value: unknown): CoreValue {
    if ('cases' in type) return tagged(type, value).tag
    if ('fields' in type) return this.lower(type.fields[0]!.type, part(type, value, 0))
    if (type.kind === 'f32' || type.kind === 'f64') return value as number
    if (type.kind === 'list' || type.kind === 'string') throw new Error('expected a type of one core value')
    return type.size > WORD ? BigInt.asIntN(64, value as bigint) : this.#number(type, value)
  }

  #liftCase(type: Cases, flat: FlatValues): unknown {
    const end = flat.at + type.flat.length
    const chosen = caseAt(type, asI32(flat.next()) >>> 0)
    let value: unknown
    if (chosen.type !== undefined) {
      // The values of a case travel as what fits all cases.
      const own = chosen.type.flat.map((wanted, index) => narrowed(flat.next(), type.flat[1 + index]!, wanted))
      value = this.lift(chosen.type, new FlatValues(own))
    }
    flat.skipTo(end)
    return chosenValue(type, chosen, value)
  }

  #scalar(type: Scalar, value: CoreValue): unknown {
    if (type.kind === 'own') return this.#handles.take(type.resource, asI32(value))
    if (type.kind === 'borrow') return this.#handles.get(type.resource, asI32(value))
    if (type.kind !== 'flags') return PRIMITIVES[type.kind](value)
    return Object.fromEntries(type.names.map((name, index) => [name, ((asI32(value) >>> index) & 1) === 1]))
  }

  #number(type: Scalar, value: unknown): number {
    if (type.kind === 'own') return this.#handles.add(type.resource, value as object)
    if (type.kind === 'bool') return value === true ? 1 : 0
    if (type.kind === 'char') return String(value).codePointAt(0) ?? 0
    if (type.kind !== 'flags') return Number(value)
    const set = value as Readonly<Record<string, boolean>>
    return type.names.reduce((flags, name, index) => flags | (set[name] === true ? 1 << index : 0), 0)
  }

  #list(item: ValueType, at: number, length: number): unknown {
    if (item.kind === 'u8') return this.#memory.bytes(at, length)
    const count = length >>> 0
    this.#memory.toRead(at, count * item.size)
    return Array.from({ length: count }, (_, index) => this.load(item, (at >>> 0) + index * item.size))
  }

  #allocateList(item: ValueType, values: ArrayLike<unknown>): number {
    if (item.kind === 'u8') return this.#memory.allocateBytes(values as Uint8Array)
    const at = this.#memory.allocate(item.align, values.length * item.size)
    for (let index = 0; index < values.length; index++) this.store(item, at + index * item.size, values[index])
    this.#memory.length = values.length
    return at
  }

  #unsigned(at: number, size: number): number {
    const view = this.#memory.toRead(at, size)
    if (size === 1) return view.getUint8(at >>> 0)
    return size === 2 ? view.getUint16(at >>> 0, true) : view.getUint32(at >>> 0, true)
  }

  #setUnsigned(at: number, size: number, value: number): void {
    if (size === 1) this.#memory.setU8(at, value)
    else if (size === 2) this.#memory.setU16(at, value)
    else this.#memory.setU32(at, value)
  }
}

function composed({ kind, fields }: Fields, valueOf: (field: Fields['fields'][number]) => unknown): unknown {
  if (kind === 'tuple') return fields.map(valueOf)
  return Object.fromEntries(fields.map((field) => [field.name, valueOf(field)]))
}

function part({ kind, fields }: Fields, value: unknown, index: number): unknown {
  return (value as Readonly<Record<string, unknown>>)[kind === 'tuple' ? index : fields[index]!.name]
}

function caseAt({ cases }: Cases, index: number): Case {
  const chosen = cases[index]
  if (chosen === undefined) throw new WebAssembly.RuntimeError('invalid variant discriminant')
  return chosen
}

function chosenValue({ kind }: Cases, { name, type }: Case, value: unknown): unknown {
  if (kind === 'option') return value
  if (kind === 'enum') return name
  return type === undefined ? { tag: name } : { tag: name, val: value }
}

function tagged({ kind, cases }: Cases, value: unknown): { readonly tag: number; readonly val: unknown } {
  if (kind === 'option') return { tag: value === undefined ? 0 : 1, val: value }
  const wanted = kind === 'enum' ? value : (value as Tagged).tag
  const tag = cases.findIndex(({ name }) => name === wanted)
  if (tag === -1) throw new WebAssembly.RuntimeError(`the component knows no case ${JSON.stringify(wanted)}`)
  return { tag, val: kind === 'enum' ? undefined : (value as Tagged).val }
}

function asI32(value: CoreValue): number {
  return Number(value) | 0
}

function narrowed(value: CoreValue, from: FlatType, to: FlatType): CoreValue {
  if (from === to) return value
  if (from === 'i32') bits.setInt32(0, Number(value), true)
  else bits.setBigInt64(0, BigInt(value), true)
  if (to === 'f32') return bits.getFloat32(0, true)
  return to === 'f64' ? bits.getFloat64(0, true) : bits.getInt32(0, true)
}

function character(code: number): string {
  if (code >= 0x11_0000 || (code >= 0xd800 && code < 0xe000)) throw new WebAssembly.RuntimeError('not a character')
  return String.fromCodePoint(code)
}
