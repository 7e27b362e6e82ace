// The linear memory of a guest as the canonical ABI of the component model sees it: texts, lists and numbers,
// read and written. Every write is noted in the map of written blocks of a guest that has one, as the guest's own are
// (build/written-map.ts): what was not noted would survive a restore. Does not know what the values mean.
import { WRITTEN } from '../artifact.ts'
import type { CoreMemory } from './cores.ts'

export type Headers = readonly (readonly [string, string])[]

/** The guest's allocator: (old, old size, alignment, size). */
export type Realloc = (old: number, oldSize: number, align: number, size: number) => number

/** Shorter texts are written letter by letter: a call into node's own code costs more. */
const SHORT_TEXT = 24
/** Two texts: each an address and a length. */
const PAIR_BYTES = 16
const WORD = 4

/** What the guest points to is checked: it traps where it lies outside of the memory. */
export class GuestMemory {
  /** Of what was allocated last: bytes of a text, items of a list. */
  length = 0
  readonly #memory: WebAssembly.Memory
  readonly #written: Uint8Array | undefined
  #realloc: Realloc = noAllocator
  #bytes!: Buffer
  #view!: DataView

  constructor({ memory, written }: CoreMemory) {
    this.#memory = memory
    // Of the size that it has now for good.
    this.#written = written === undefined ? undefined : new Uint8Array(written.buffer)
    this.#look()
  }

  set realloc(realloc: Realloc) {
    this.#realloc = realloc
  }

  text(at: number, length: number): string {
    const start = this.#checked(at, length >>> 0)
    return this.#bytes.toString('utf8', start, start + (length >>> 0))
  }

  /** A copy. */
  bytes(at: number, length: number): Uint8Array {
    const start = this.#checked(at, length >>> 0)
    return new Uint8Array(this.#bytes.buffer as ArrayBuffer, start, length >>> 0).slice()
  }

  pairs(at: number, length: number): [string, string][] {
    const count = length >>> 0
    const start = this.#checked(at, count * PAIR_BYTES)
    const pairs: [string, string][] = []
    for (let index = 0, item = start; index < count; index++, item += PAIR_BYTES) {
      const name = this.text(this.#u32(item), this.#u32(item + WORD))
      pairs.push([name, this.text(this.#u32(item + 2 * WORD), this.#u32(item + 3 * WORD))])
    }
    return pairs
  }

  /** To read so many bytes at `at` from, before the guest runs again. */
  toRead(at: number, size: number): DataView {
    this.#checked(at, size)
    return this.#view
  }

  /** To write so many bytes at `at`. */
  toWrite(at: number, size: number): DataView {
    this.#room(at, size)
    return this.#view
  }

  setU8(at: number, value: number): void {
    this.#room(at, 1)
    this.#view.setUint8(at >>> 0, value)
  }

  setU16(at: number, value: number): void {
    this.#room(at, 2)
    this.#view.setUint16(at >>> 0, value, true)
  }

  setU32(at: number, value: number): void {
    this.#room(at, WORD)
    this.#view.setUint32(at >>> 0, value, true)
  }

  setU64(at: number, value: bigint): void {
    this.#room(at, 2 * WORD)
    this.#view.setBigUint64(at >>> 0, value, true)
  }

  /** Where a text or list that was allocated lies, and its length. */
  setSlice(at: number, start: number): void {
    this.#room(at, 2 * WORD)
    this.#view.setUint32(at >>> 0, start, true)
    this.#view.setUint32((at >>> 0) + WORD, this.length, true)
  }

  /** @returns its address; its length in bytes is `length` */
  allocateText(text: string): number {
    const size = text.length === 0 ? 0 : Buffer.byteLength(text)
    const at = this.allocate(1, size)
    if (size > text.length) this.#bytes.write(text, at, size, 'utf8')
    else if (size > SHORT_TEXT) this.#bytes.write(text, at, size, 'latin1')
    else for (let index = 0; index < size; index++) this.#bytes[at + index] = text.charCodeAt(index)
    this.length = size
    return at
  }

  /** @returns its address; its length is `length` */
  allocateBytes(bytes: Uint8Array): number {
    const at = this.allocate(1, bytes.length)
    if (bytes.length > 0) this.#bytes.set(bytes, at)
    this.length = bytes.length
    return at
  }

  /** @returns its address; its length is `length` */
  allocatePairs(pairs: Headers): number {
    const at = this.allocate(WORD, pairs.length * PAIR_BYTES)
    let item = at
    for (const [name, value] of pairs) {
      this.setSlice(item, this.allocateText(name))
      this.setSlice(item + 2 * WORD, this.allocateText(value))
      item += PAIR_BYTES
    }
    this.length = pairs.length
    return at
  }

  /** @returns the address of so many bytes, which are noted as written */
  allocate(align: number, size: number): number {
    // Nobody reads what is empty, or gives it back.
    if (size === 0) return align
    const at = this.#realloc(0, 0, align, size) >>> 0
    this.#room(at, size)
    return at
  }

  /** Checks and notes what is about to be written. */
  #room(at: number, size: number): void {
    const start = this.#checked(at, size)
    const map = this.#written
    if (map === undefined) return
    const last = (start + size - 1) >>> WRITTEN.blockShift
    for (let block = start >>> WRITTEN.blockShift; block <= last; block++) map[block] = 1
  }

  #u32(at: number): number {
    return this.#view.getUint32(at, true)
  }

  /** @throws WebAssembly.RuntimeError where it lies outside; the memory may have grown since the last look */
  #checked(at: number, length: number): number {
    if (this.#bytes.length === 0) this.#look()
    const start = at >>> 0
    if (start + length <= this.#bytes.length) return start
    throw new WebAssembly.RuntimeError('out of bounds memory access')
  }

  #look(): void {
    const { buffer } = this.#memory
    this.#bytes = Buffer.from(buffer)
    this.#view = new DataView(buffer)
  }
}

function noAllocator(): never {
  throw new WebAssembly.RuntimeError('nothing can be allocated yet')
}
