// Reads and writes the outer structure of WebAssembly binaries. Knows nothing of what the sections mean.

/** An item of a core module or a component. */
export interface Section {
  readonly id: number
  readonly body: Uint8Array
  /** The section with its id and length. */
  readonly whole: Uint8Array
}

const MAGIC = [0x00, 0x61, 0x73, 0x6d]

/** What the first eight bytes say. */
export function binaryKind(bytes: Uint8Array): 'core' | 'component' | 'other' {
  if (bytes.length < 8 || MAGIC.some((byte, index) => bytes[index] !== byte)) return 'other'
  const layer = (bytes[6] ?? 0) | ((bytes[7] ?? 0) << 8)
  if (layer === 1) return 'component'
  return layer === 0 && bytes[4] === 1 ? 'core' : 'other'
}

/** @throws RangeError when a length points past the end */
export function* sections(bytes: Uint8Array): Generator<Section> {
  const reader = new Reader(bytes)
  reader.skip(8)
  while (!reader.done) {
    const start = reader.offset
    const id = reader.byte()
    const body = reader.take(reader.u32())
    yield { id, body, whole: bytes.subarray(start, reader.offset) }
  }
}

/** A cursor over bytes. Every method throws RangeError past the end. */
export class Reader {
  readonly #bytes: Uint8Array
  offset = 0

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes
  }

  get done(): boolean {
    return this.offset >= this.#bytes.length
  }

  byte(): number {
    const value = this.#bytes[this.offset]
    if (value === undefined) throw new RangeError('the binary ends too early')
    this.offset += 1
    return value
  }

  /** An unsigned LEB128, up to 64 bits; numbers beyond 2^53 lose precision, which no limit of ours comes near. */
  u32(): number {
    let value = 0
    for (let shift = 0; shift < 70; shift += 7) {
      const byte = this.byte()
      value += (byte & 0x7f) * 2 ** shift
      if (byte < 0x80) return value
    }
    throw new RangeError('a number of the binary is too long')
  }

  take(length: number): Uint8Array {
    const start = this.offset
    this.skip(length)
    return this.#bytes.subarray(start, this.offset)
  }

  skip(length: number): void {
    if (this.offset + length > this.#bytes.length) throw new RangeError('the binary ends too early')
    this.offset += length
  }

  rest(): Uint8Array {
    return this.#bytes.subarray(this.offset)
  }
}

/** Unsigned LEB128. */
export function leb(value: number): number[] {
  const bytes: number[] = []
  let left = value
  do {
    const low = left % 128
    left = Math.floor(left / 128)
    bytes.push(left > 0 ? low | 0x80 : low)
  } while (left > 0)
  return bytes
}

export function concat(parts: readonly Uint8Array[]): Uint8Array {
  const whole = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0))
  let offset = 0
  for (const part of parts) {
    whole.set(part, offset)
    offset += part.length
  }
  return whole
}
