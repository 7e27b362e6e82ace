// UUIDs of version 7 (RFC 9562, 5.7) for every call: half the cost of node:crypto's, whose texts are pieces that each
// reader has to join.
import { randomFillSync } from 'node:crypto'

const DIGITS = Buffer.from('0123456789abcdef')
const RANDOM_BYTES = 10
const VERSION = 0x37 // "7"
/** Of the three digits after the version. */
const COUNTS = 4096

/** Makes UUIDs, each greater than the one before. Random bytes are drawn for many at a time. */
export class UuidMaker {
  readonly #text = Buffer.alloc(36, '-')
  readonly #random: Buffer
  #used: number
  #time = -1
  /** Counts the UUIDs of a millisecond, from anywhere in the lower half. */
  #count = 0

  constructor(atOnce = 400) {
    this.#random = Buffer.alloc(atOnce * RANDOM_BYTES)
    this.#used = this.#random.length
    this.#text[14] = VERSION
  }

  /** @param now ms since the epoch; when it goes back, the time of the last one goes on */
  make(now: number): string {
    const random = this.#random
    if (this.#used === random.length) {
      randomFillSync(random)
      this.#used = 0
    }
    const from = this.#used
    this.#used += RANDOM_BYTES
    if (now > this.#time) this.#begin(now, random.readUInt16LE(from) & (COUNTS / 2 - 1))
    else if (this.#count === COUNTS - 1) this.#begin(this.#time + 1, 0)
    else this.#count += 1
    this.#text[15] = DIGITS[this.#count >> 8]!
    this.#writeByte(16, this.#count & 0xff)
    const first = random[from + 2]!
    // The variant: 8, 9, a or b.
    this.#text[19] = DIGITS[8 | (first >> 6)]!
    this.#text[20] = DIGITS[first & 15]!
    this.#writeByte(21, random[from + 3]!)
    for (let index = 0; index < 6; index++) this.#writeByte(24 + 2 * index, random[from + 4 + index]!)
    return this.#text.toString('latin1')
  }

  #begin(time: number, count: number): void {
    this.#time = time
    this.#count = count
    const hex = time.toString(16).padStart(12, '0')
    this.#text.write(hex.slice(0, 8), 0, 'latin1')
    this.#text.write(hex.slice(8), 9, 'latin1')
  }

  #writeByte(at: number, byte: number): void {
    this.#text[at] = DIGITS[byte >> 4]!
    this.#text[at + 1] = DIGITS[byte & 15]!
  }
}
