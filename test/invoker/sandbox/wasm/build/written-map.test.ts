import { describe, expect, it } from 'vitest'

import { WRITTEN } from '#invoker/sandbox/wasm/artifact'
import { withWrittenMap } from '#invoker/sandbox/wasm/build/written-map'
import { assemble } from '#test/invoker/sandbox/wasm/sandboxes'

const SIZE = 1_048_576
/** Every way to write that the language has, at an address that need not be aligned. */
const CODE = `
memory.grow(${SIZE / 65_536} - memory.size())
function pick(n: u32): u32 { return n }
export function write(kind: i32, at: u32, length: u32): u32 {
  switch (kind) {
    case 0: store<u8>(at, 0xff); return 1
    case 1: store<u16>(at, 0xffff); return 2
    case 2: store<u32>(at, 0xffffffff); return 4
    case 3: store<u64>(at, 0xffffffffffffffff); return 8
    case 4: store<f32>(at, -1.5e30); return 4
    case 5: store<f64>(at, -1.5e300); return 8
    case 6: store<u8>(at, <u64>0xff); return 1
    case 7: store<u16>(at, <u64>0xffff); return 2
    case 8: store<u32>(at, <u64>0xffffffff); return 4
    case 9: store<u32>(pick(at), 0xffffffff, 70_000); return 4
    case 10: memory.fill(at, 0xff, length); return length
    default: memory.copy(at, 0, length); return length
  }
}`
const KINDS = 12

interface Guest {
  readonly memory: Uint8Array
  readonly map: Uint8Array
  readonly write: (kind: number, at: number, length: number) => number
}

async function guest(): Promise<Guest> {
  const core = await assemble(CODE, '--initialMemory', String(SIZE / 65_536), '--enable', 'bulk-memory')
  const [bytes] = [...withWrittenMap(new Map([['main', core]]), SIZE).values()]
  const { exports } = new WebAssembly.Instance(new WebAssembly.Module(bytes!))
  const view = (name: string): Uint8Array => new Uint8Array((exports[name] as WebAssembly.Memory).buffer)
  return { memory: view('memory'), map: view(WRITTEN.name), write: exports.write as Guest['write'] }
}

/** What a restore by the map would leave: offsets of changed bytes that it does not reach. */
function missed({ memory, map }: Guest, before: Uint8Array): number[] {
  const reached = (offset: number): boolean =>
    map[offset >>> WRITTEN.blockShift] === 1 ||
    (offset % WRITTEN.blockBytes < WRITTEN.spillBytes && map[(offset >>> WRITTEN.blockShift) - 1] === 1)
  return [...memory.keys()].filter((offset) => memory[offset] !== before[offset] && !reached(offset))
}

describe('withWrittenMap()', () => {
  it('has every kind of write noted, wherever it begins and ends', async () => {
    const one = await guest()
    const before = one.memory.slice()
    let seed = 1
    const random = (limit: number): number => (seed = (seed * 16_807) % 2_147_483_647) % limit
    for (let round = 0; round < 600; round++) {
      const nearEdge = (1 + random(200)) * WRITTEN.blockBytes - random(10)
      one.write(round % KINDS, round % 5 === 0 ? random(800_000) : nearEdge, random(4) === 0 ? 0 : random(20_000))
      if (round % 50 !== 49) continue
      expect(missed(one, before)).toEqual([])
      one.memory.set(before)
      one.map.fill(0)
    }
  })

  it('notes no more than was written', async () => {
    const one = await guest()
    one.map.fill(0)
    one.write(3, 5 * WRITTEN.blockBytes, 0)
    one.write(10, 9 * WRITTEN.blockBytes, WRITTEN.blockBytes)
    one.write(10, 20 * WRITTEN.blockBytes, 0)
    expect([...one.map.keys()].filter((block) => one.map[block] === 1)).toEqual([5, 9])
  })

  it('lets a write out of bounds trap as before, and notes nothing', async () => {
    const one = await guest()
    one.map.fill(0)
    for (let kind = 0; kind < KINDS; kind++) expect(() => one.write(kind, 0xffff_fff0, 100)).toThrow('out of bounds')
    expect(one.map.every((mark) => mark === 0)).toBe(true)
  })

  it('refuses code that may write in ways that it does not know', async () => {
    const source = 'export function f(at: u32): void { v128.store(at, i32x4.splat(1)) }'
    const core = await assemble(source, '--initialMemory', '1', '--enable', 'simd')
    expect(() => withWrittenMap(new Map([['main', core]]), SIZE)).toThrow(
      'expected an instruction of C or Rust: found 0xfd',
    )
  })
})
