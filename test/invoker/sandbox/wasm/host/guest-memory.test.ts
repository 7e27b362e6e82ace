import { describe, expect, it } from 'vitest'

import { WRITTEN } from '#invoker/sandbox/wasm/artifact'
import { GuestMemory } from '#invoker/sandbox/wasm/host/guest-memory'

const PAGE = 65_536

/** A memory with an allocator that gives one piece after the other, from `next` on. */
function memoryOf(pages: number, next: number): { memory: GuestMemory; map: Uint8Array; grow: () => number } {
  const wasm = new WebAssembly.Memory({ initial: pages })
  const written = new WebAssembly.Memory({ initial: 1 })
  const map = new Uint8Array(written.buffer)
  const memory = new GuestMemory({ memory: wasm, written })
  memory.realloc = (_old, _oldSize, align, size) => {
    const at = Math.ceil(next / align) * align
    next = at + size
    return at
  }
  return { memory, map, grow: () => wasm.grow(1) }
}

const notedIn = (map: Uint8Array): number[] => [...map.keys()].filter((block) => map[block] === 1)

describe('GuestMemory', () => {
  it('reads texts, bytes and pairs as they were written', () => {
    const { memory } = memoryOf(1, 8)
    for (const text of ['', 'short', 'l'.repeat(200), 'ü€😀'.repeat(40), '\ud800']) {
      const at = memory.allocateText(text)
      expect(memory.text(at, memory.length)).toBe(text.toWellFormed())
    }
    const pairs = [
      ['a', 'b'],
      ['', 'é'],
    ] as const
    const at = memory.allocatePairs(pairs)
    expect(memory.pairs(at, memory.length)).toEqual(pairs)
    const bytes = memory.allocateBytes(Uint8Array.of(1, 2, 3))
    expect(memory.bytes(bytes, memory.length)).toEqual(Uint8Array.of(1, 2, 3))
  })

  it('notes every block that it writes to', () => {
    const { memory, map } = memoryOf(2, WRITTEN.blockBytes * 3 - 1)
    memory.allocateText('xy')
    memory.allocateBytes(new Uint8Array(WRITTEN.blockBytes))
    memory.setU8(WRITTEN.blockBytes * 7, 1)
    memory.setU16(WRITTEN.blockBytes * 9 - 1, 1)
    memory.setU32(WRITTEN.blockBytes * 12 - 4, 1)
    memory.setU64(WRITTEN.blockBytes * 14 - 4, 1n)
    memory.setSlice(WRITTEN.blockBytes * 16 - 4, 1)
    expect(notedIn(map)).toEqual([2, 3, 4, 7, 8, 9, 11, 13, 14, 15, 16])
  })

  it('sees the memory that a guest has grown', () => {
    const { memory, grow } = memoryOf(1, PAGE)
    expect(() => memory.allocateText('text')).toThrow('out of bounds')
    grow()
    expect(memory.text(memory.allocateText('text'), 4)).toBe('text')
  })

  it.each([
    ['a text that ends outside', (memory: GuestMemory) => memory.text(PAGE - 1, 2)],
    ['a text at a negative address', (memory: GuestMemory) => memory.text(-1, 1)],
    ['a text of negative length', (memory: GuestMemory) => memory.text(0, -1)],
    ['bytes that end outside', (memory: GuestMemory) => memory.bytes(1, PAGE)],
    ['a list with an end outside', (memory: GuestMemory) => memory.pairs(0, PAGE / 16 + 1)],
    ['a list of negative length', (memory: GuestMemory) => memory.pairs(16, -1)],
    ['a list of a length that wraps around', (memory: GuestMemory) => memory.pairs(0, 0x1000_0000)],
    ['a number outside', (memory: GuestMemory) => memory.setU32(PAGE - 3, 1)],
    ['a number at a negative address', (memory: GuestMemory) => memory.setU8(-1, 1)],
  ])('traps at %s', (_what, access) => {
    expect(() => access(memoryOf(1, 0).memory)).toThrow(WebAssembly.RuntimeError)
  })

  it('traps where an allocator of the guest lies', () => {
    const { memory } = memoryOf(1, 0)
    memory.realloc = () => -4
    expect(() => memory.allocateBytes(new Uint8Array(8))).toThrow(WebAssembly.RuntimeError)
  })
})
