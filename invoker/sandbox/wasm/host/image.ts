// What an instance was like when nobody had used it yet, to go back to after each call: the `reset` policy.
import { WRITTEN } from '../artifact.ts'
import type { CoreMemory, Cores } from './cores.ts'
import { type Restore, restorerOf } from './restorer.ts'

/** A map is looked through so many blocks at a time. */
const BLOCKS_AT_ONCE = 8
const PAGE_BYTES = 65_536

interface MemoryImage {
  readonly memory: WebAssembly.Memory
  /** That of the memory. Another one, and it has grown. */
  readonly buffer: ArrayBuffer
  readonly image: WebAssembly.Memory
  readonly blocks: number
  readonly restore: Restore
}

export class Image {
  readonly #cores: Cores
  readonly #memories: readonly MemoryImage[]
  readonly #globals: readonly { global: WebAssembly.Global; value: unknown }[]
  readonly #tableLengths: readonly number[]

  /**
   * @param like of another instance of the same guest: what is equal is kept once
   * @throws Error when a memory has no map of what is written to it
   */
  constructor(cores: Cores, like?: Image) {
    this.#cores = cores
    this.#memories = cores.memories
      .filter(({ memory }) => memory.buffer.byteLength > 0)
      .map((memory, index) => imageOf(memory, like === undefined ? undefined : like.#memories[index]?.image))
    this.#globals = cores.globals.map((global) => ({ global, value: global.value }))
    this.#tableLengths = cores.tables.map((table) => table.length)
  }

  /**
   * Restores memories and exported globals. Nothing of the guest may run any more, and no value may be under way to it:
   * it would come to who knows nothing of it.
   * @returns false when that does not make it as it was: a memory or table has grown. The instance must then not be used
   * again.
   */
  restore(): boolean {
    if (this.#tableLengths.some((length, index) => this.#cores.tables[index]?.length !== length)) return false
    if (this.#memories.some(({ memory, buffer }) => memory.buffer !== buffer)) return false
    for (const { restore, blocks, buffer } of this.#memories) restore(blocks, buffer.byteLength)
    for (const { global, value } of this.#globals) global.value = value
    return true
  }
}

function imageOf({ memory, written }: CoreMemory, like: WebAssembly.Memory | undefined): MemoryImage {
  if (written === undefined) throw new Error('a memory that is to be restored has no map of what is written to it')
  const { buffer } = memory
  const image = imageIn(buffer, like)
  // The map is made for the memory at its largest. One that grows is not restored.
  const blocks = Math.ceil(buffer.byteLength / WRITTEN.blockBytes / BLOCKS_AT_ONCE) * BLOCKS_AT_ONCE
  new Uint8Array(written.buffer, 0, blocks).fill(0)
  return { memory, buffer, image, blocks, restore: restorerOf({ memory, written, image }) }
}

function imageIn(buffer: ArrayBuffer, like: WebAssembly.Memory | undefined): WebAssembly.Memory {
  if (like !== undefined && Buffer.from(buffer).equals(Buffer.from(like.buffer))) return like
  const pages = buffer.byteLength / PAGE_BYTES
  const image = new WebAssembly.Memory({ initial: pages, maximum: pages })
  new Uint8Array(image.buffer).set(new Uint8Array(buffer))
  return image
}
