// What an instance was like when nobody had used it yet, to go back to after each call: the `reset` policy.
import { WRITTEN } from '../artifact.ts'
import type { CoreMemory, Cores } from './cores.ts'

interface MemoryImage extends CoreMemory {
  /** That of the memory. Another one, and it has grown. */
  readonly buffer: ArrayBuffer
  readonly bytes: Uint8Array
}

export class Image {
  readonly #cores: Cores
  readonly #memories: readonly MemoryImage[]
  readonly #globals: readonly { global: WebAssembly.Global; value: unknown }[]
  readonly #tableLengths: readonly number[]

  /** @param like of another instance of the same guest: what is equal is kept once */
  constructor(cores: Cores, like?: Image) {
    this.#cores = cores
    const known: readonly { readonly bytes: Uint8Array }[] = like === undefined ? [] : like.#memories
    this.#memories = cores.memories
      .filter(({ memory }) => memory.buffer.byteLength > 0)
      .map(({ memory, written }, index) => {
        const bytes = copyOf(memory, known[index]?.bytes)
        // The map is made for the memory at its largest. One that grows is not restored.
        return { memory, buffer: memory.buffer, bytes, written: written?.subarray(0, blocksOf(bytes)).fill(0) }
      })
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
    for (const memory of this.#memories) restoreMemory(memory)
    for (const { global, value } of this.#globals) global.value = value
    return true
  }
}

function restoreMemory({ buffer, bytes, written }: MemoryImage): void {
  const memory = new Uint8Array(buffer)
  if (written === undefined) {
    memory.set(bytes)
    return
  }
  for (let block = written.indexOf(1); block !== -1; block = written.indexOf(1, block)) {
    const start = block
    while (written[block] === 1) written[block++] = 0
    const offset = start * WRITTEN.blockBytes
    memory.set(bytes.subarray(offset, block * WRITTEN.blockBytes + WRITTEN.spillBytes), offset)
  }
}

function blocksOf(bytes: Uint8Array): number {
  return Math.ceil(bytes.length / WRITTEN.blockBytes)
}

/** Not a Buffer: cutting pieces off one costs as much as copying them. */
function copyOf(memory: WebAssembly.Memory, like: Uint8Array | undefined): Uint8Array {
  const same = like !== undefined && Buffer.from(memory.buffer).equals(like)
  return same ? like : new Uint8Array(memory.buffer).slice()
}
