// What an instance was like when nobody had used it yet, to go back to after each call: the `reset` policy.
import type { Cores } from './cores.ts'

export class Image {
  readonly #cores: Cores
  readonly #memories: readonly { memory: WebAssembly.Memory; bytes: Buffer }[]
  readonly #globals: readonly { global: WebAssembly.Global; value: unknown }[]
  readonly #tableLengths: readonly number[]

  /** @param like of another instance of the same guest: what is equal is kept once */
  constructor(cores: Cores, like?: Image) {
    this.#cores = cores
    const known: readonly { readonly bytes: Buffer }[] = like === undefined ? [] : like.#memories
    this.#memories = cores.memories
      .filter((memory) => memory.buffer.byteLength > 0)
      .map((memory, index) => ({ memory, bytes: copyOf(memory, known[index]?.bytes) }))
    this.#globals = cores.globals.map((global) => ({ global, value: global.value }))
    this.#tableLengths = cores.tables.map((table) => table.length)
  }

  /**
   * Restores memories and exported globals. Nothing of the guest may run any more, and no value may be under way
   * to it: the glue would write it into the restored memory.
   * @returns false when that does not make it as it was: a memory or table has grown, or the guest still waits for
   * something, which would come to who knows nothing of it. The instance must then not be used again.
   */
  restore(): boolean {
    if (!this.#cores.atRest) return false
    if (this.#tableLengths.some((length, index) => this.#cores.tables[index]?.length !== length)) return false
    if (this.#memories.some(({ memory, bytes }) => memory.buffer.byteLength !== bytes.length)) return false
    for (const { memory, bytes } of this.#memories) new Uint8Array(memory.buffer).set(bytes)
    for (const { global, value } of this.#globals) global.value = value
    return true
  }
}

function copyOf(memory: WebAssembly.Memory, like: Buffer | undefined): Buffer {
  const bytes = Buffer.from(memory.buffer)
  return like?.equals(bytes) === true ? like : Buffer.from(bytes)
}
