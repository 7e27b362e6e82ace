// The end of what a container's process writes to its own standard error: there V8 says why it gives up. Functions'
// output does not come this way, agents send it as frames.
import type { Readable } from 'node:stream'

const KEPT_BYTES = 8_192
/** In front of every piece of an attached stream: which stream, three zeros, the size. */
const HEADER_BYTES = 8

export class LastWords {
  #text = ''

  /** @param stream of an attached container without a terminal */
  follow(stream: NodeJS.ReadableStream): void {
    const readable = stream as Readable
    // A header may fall into the middle of a kept piece: what is searched for does not care.
    readable.on('data', (chunk: Buffer) => {
      this.#text = (this.#text + chunk.toString('latin1', chunk.length > HEADER_BYTES ? HEADER_BYTES : 0)).slice(
        -KEPT_BYTES,
      )
    })
    readable.on('error', () => {})
  }

  get text(): string {
    return this.#text
  }
}
