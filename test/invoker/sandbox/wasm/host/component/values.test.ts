import { describe, expect, it } from 'vitest'

import type { ComponentType, TypeRef } from '#invoker/sandbox/wasm/component-plan'
import { Handles } from '#invoker/sandbox/wasm/host/component/handles'
import { sequence, valueTypes } from '#invoker/sandbox/wasm/host/component/types'
import { FlatValues, Values } from '#invoker/sandbox/wasm/host/component/values'
import { GuestMemory } from '#invoker/sandbox/wasm/host/guest-memory'

const TYPES: readonly ComponentType[] = [
  { kind: 'list', item: 'u8' },
  { kind: 'tuple', items: ['string', 0] },
  { kind: 'list', item: 1 },
  {
    kind: 'record',
    fields: [
      ['field-name', 'u8'],
      ['field-size', 'u64'],
      ['x', 'f32'],
    ],
  },
  { kind: 'option', item: 3 },
  {
    kind: 'variant',
    cases: [
      ['none', null],
      ['HTTP-size', 'u64'],
      ['ratio', 'f32'],
      ['precise', 'f64'],
      ['text', 'string'],
    ],
  },
  { kind: 'enum', names: ['first', 'the-second'] },
  { kind: 'flags', names: ['read', 'write-it'] },
  { kind: 'result', ok: 'u32', error: 5 },
  { kind: 'result', ok: null, error: null },
  { kind: 'own', resource: 'wasi:io/poll.pollable' },
  { kind: 'borrow', resource: 'wasi:io/poll.pollable' },
  { kind: 'list', item: 'u32' },
]
const typeOf = valueTypes(TYPES)
const AT = 4096

function guest() {
  const memory = new WebAssembly.Memory({ initial: 1 })
  const guestMemory = new GuestMemory({ memory, written: undefined })
  let next = 8
  guestMemory.realloc = (_old, _oldSize, align, size) => {
    const at = Math.ceil(next / align) * align
    next = at + size
    return at
  }
  const handles = new Handles()
  return { values: new Values(guestMemory, handles), handles, view: new DataView(memory.buffer) }
}

describe('Values', () => {
  it.each<[TypeRef, unknown]>([
    ['bool', true],
    ['u8', 255],
    ['s8', -1],
    ['u16', 65_535],
    ['s16', -2],
    ['u32', 4_294_967_295],
    ['s32', -3],
    ['u64', 2n ** 64n - 1n],
    ['s64', -4n],
    ['f32', 0.5],
    ['f64', Math.PI],
    ['char', '😀'],
    ['string', 'ü€😀'],
    [0, Uint8Array.of(1, 2, 3)],
    [
      2,
      [
        ['a', Uint8Array.of(7)],
        ['', new Uint8Array(0)],
      ],
    ],
    [3, { fieldName: 1, fieldSize: 5n, x: 0.25 }],
    [4, undefined],
    [4, { fieldName: 1, fieldSize: 5n, x: 0.25 }],
    [5, { tag: 'none' }],
    [5, { tag: 'HTTP-size', val: 9n }],
    [5, { tag: 'text', val: 'why' }],
    [6, 'the-second'],
    [7, { read: false, writeIt: true }],
    [8, { tag: 'ok', val: 4 }],
    [8, { tag: 'err', val: { tag: 'ratio', val: 0.5 } }],
    [9, { tag: 'err' }],
    [12, [1, 2, 4_294_967_295]],
  ])('writes a value of type %s and reads it back: %o', (ref, value) => {
    const { values } = guest()
    values.store(typeOf(ref), AT, value)
    expect(values.load(typeOf(ref), AT)).toEqual(value)
  })

  it('lays out records and variants as the canonical ABI does', () => {
    expect(typeOf(3)).toMatchObject({ size: 24, align: 8, flat: ['i32', 'i64', 'f32'] })
    expect(typeOf(4)).toMatchObject({ size: 32, align: 8, payloadOffset: 8 })
    // u64, f32, f64 and an address share the first place, the length has one of its own.
    expect(typeOf(5)).toMatchObject({ size: 16, align: 8, flat: ['i32', 'i64', 'i32'] })
    expect(
      sequence([
        ['', typeOf('u8')],
        ['', typeOf('u32')],
      ]),
    ).toMatchObject({ size: 8, fields: [{ offset: 0 }, { offset: 4 }] })
  })

  it('takes from core values what a case has, whatever the others have', () => {
    const { values, view } = guest()
    view.setFloat32(0, 0.5, true)
    const half = BigInt(view.getUint32(0, true))
    view.setFloat64(0, 0.1, true)
    const tenth = view.getBigUint64(0, true)
    const lift = (...flat: (number | bigint)[]): unknown => values.lift(typeOf(5), new FlatValues(flat))
    expect(lift(0, 0n, 0)).toEqual({ tag: 'none' })
    expect(lift(1, -1n, 0)).toEqual({ tag: 'HTTP-size', val: 2n ** 64n - 1n })
    expect(lift(2, half, 0)).toEqual({ tag: 'ratio', val: 0.5 })
    expect(lift(3, tenth, 0)).toEqual({ tag: 'precise', val: 0.1 })
    expect(lift(4, 0n, 0)).toEqual({ tag: 'text', val: '' })
  })

  it('goes on after a variant where the next value is', () => {
    const { values } = guest()
    const flat = new FlatValues([0, 0n, 0, 7])
    expect(values.lift(typeOf(5), flat)).toEqual({ tag: 'none' })
    expect(values.lift(typeOf('u8'), flat)).toBe(7)
  })

  it('looks at no more bits than a type has', () => {
    const { values } = guest()
    expect(values.lift(typeOf('u8'), new FlatValues([0x1ff]))).toBe(0xff)
    expect(values.lift(typeOf('s8'), new FlatValues([0x180]))).toBe(-128)
    expect(values.lift(typeOf('u32'), new FlatValues([-1]))).toBe(4_294_967_295)
  })

  it('moves what is owned and lends what is borrowed', () => {
    const { values, handles } = guest()
    const pollable = {}
    const handle = values.lower(typeOf(10), pollable) as number
    expect(values.lift(typeOf(11), new FlatValues([handle]))).toBe(pollable)
    expect(values.lift(typeOf(10), new FlatValues([handle]))).toBe(pollable)
    expect(() => handles.get('wasi:io/poll.pollable', handle)).toThrow(WebAssembly.RuntimeError)
  })

  it.each<[string, (values: Values, handles: Handles) => unknown]>([
    ['a handle that it was not given', (values) => values.lift(typeOf(11), new FlatValues([1]))],
    [
      'a handle of something else',
      (values, handles) => values.lift(typeOf(11), new FlatValues([handles.add('other', {})])),
    ],
    ['a case that there is not', (values) => values.lift(typeOf(6), new FlatValues([2]))],
    ['a text outside of its memory', (values) => values.lift(typeOf('string'), new FlatValues([65_535, 2]))],
    ['a list outside of its memory', (values) => values.lift(typeOf(2), new FlatValues([8, 0x0fff_ffff]))],
    ['a result outside of its memory', (values) => values.store(typeOf('u64'), 65_529, 1n)],
    ['half a surrogate', (values) => values.lift(typeOf('char'), new FlatValues([0xd800]))],
  ])('traps a guest that has %s', (_what, act) => {
    const { values, handles } = guest()
    expect(() => act(values, handles)).toThrow(WebAssembly.RuntimeError)
  })
})
