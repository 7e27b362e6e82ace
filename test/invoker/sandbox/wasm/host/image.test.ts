import { describe, expect, it } from 'vitest'

import { WRITTEN } from '#invoker/sandbox/wasm/artifact'
import type { Cores } from '#invoker/sandbox/wasm/host/cores'
import { Image } from '#invoker/sandbox/wasm/host/image'

const PAGE = 65_536

interface Fixture {
  readonly cores: Cores
  readonly memory: WebAssembly.Memory
  readonly bytes: Uint8Array
  /** Writes as guests do: what is written is noted. */
  readonly write: (at: number, length: number) => void
}

function fixture(pages: number): Fixture {
  const memory = new WebAssembly.Memory({ initial: pages })
  const written = new WebAssembly.Memory({ initial: Math.ceil((pages * PAGE) / WRITTEN.blockBytes / PAGE) })
  const bytes = new Uint8Array(memory.buffer)
  for (let at = 0; at < bytes.length; at++) bytes[at] = (at * 7) % 251
  return {
    cores: { memories: [{ memory, written }], globals: [], tables: [] } as unknown as Cores,
    memory,
    bytes,
    write: (at, length) => {
      const map = new Uint8Array(written.buffer)
      bytes.fill(0xff, at, at + length)
      const last = (at + length - 1) >>> WRITTEN.blockShift
      for (let block = at >>> WRITTEN.blockShift; block <= last; block++) map[block] = 1
    },
  }
}

/** A generator, so that a failure can be repeated. */
function randomOf(seed: number): (below: number) => number {
  return (below) => {
    seed = (seed * 48_271) % 2_147_483_647
    return seed % below
  }
}

describe('Image.restore()', () => {
  it.each([1, 2, 3, 4])('brings back every byte that was noted, wherever it lies (%d)', (seed) => {
    const random = randomOf(seed)
    const { cores, bytes, write } = fixture(3)
    const image = new Image(cores)
    const before = bytes.slice()
    for (let call = 0; call < 50; call++) {
      for (let writes = random(60); writes > 0; writes--) {
        const length = 1 + random(random(10) === 0 ? 5_000 : 16)
        write(random(bytes.length - length), length)
      }
      expect(image.restore()).toBe(true)
      expect(Buffer.from(bytes).equals(before)).toBe(true)
    }
  })

  it('brings back the first and the last block, all of them, and what a store wrote past its block', () => {
    const { cores, bytes, write } = fixture(2)
    const image = new Image(cores)
    const before = bytes.slice()
    const edges = [0, 1, WRITTEN.blockBytes * 8 - 1, bytes.length - 1]
    for (const at of edges) write(at, 1)
    image.restore()
    expect(Buffer.from(bytes).equals(before)).toBe(true)
    write(0, bytes.length)
    image.restore()
    expect(Buffer.from(bytes).equals(before)).toBe(true)
    write(WRITTEN.blockBytes * 5 - 1, 1)
    bytes.fill(0xff, WRITTEN.blockBytes * 5, WRITTEN.blockBytes * 5 + WRITTEN.spillBytes - 1)
    image.restore()
    expect(Buffer.from(bytes).equals(before)).toBe(true)
  })

  it('touches nothing that was not noted', () => {
    const { cores, bytes } = fixture(1)
    const image = new Image(cores)
    bytes[5000] = 1
    image.restore()
    expect(bytes[5000]).toBe(1)
  })

  it('refuses a memory that has grown', () => {
    const { cores, memory } = fixture(1)
    const image = new Image(cores)
    memory.grow(1)
    expect(image.restore()).toBe(false)
  })

  it('goes back to the image of its own instance, not to that of another which it shares', () => {
    const one = fixture(1)
    const first = new Image(one.cores)
    one.bytes[40] = 99
    const second = new Image(one.cores, first)
    one.write(40, 1)
    second.restore()
    expect(one.bytes[40]).toBe(99)
  })
})
