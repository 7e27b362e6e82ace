'use strict'
// The body of a request that arrives in frames: collected, or read as a stream. Grants the sender more as it is used.
const { TYPE, WINDOW_BYTES } = require('./wire.cjs')

const MIN_BUFFER_BYTES = 65_536
/** A Content-Length is a hint, not a reason to take any amount of memory. */
const MAX_HINT_BYTES = 134_217_728

class IncomingBody {
  #wire
  #call
  #chunks = []
  #ended = false
  #error
  #wake
  #used = 0

  constructor(wire, call) {
    this.#wire = wire
    this.#call = call
  }

  /** `counted`: whether the bytes used up the sender's window. */
  push(bytes, end, counted) {
    if (bytes.length > 0) this.#chunks.push({ bytes, counted })
    if (end) this.#ended = true
    this.#wake?.()
  }

  /** What reads from now on fails with `error`. */
  break(error) {
    this.#error ??= error
    this.#chunks = []
    this.#wake?.()
  }

  /** The next bytes, or undefined after the last. */
  async next() {
    for (;;) {
      if (this.#error !== undefined) throw this.#error
      const chunk = this.#chunks.shift()
      if (chunk !== undefined) {
        if (chunk.counted) this.#grant(chunk.bytes.length)
        return chunk.bytes
      }
      if (this.#ended) return undefined
      await new Promise((resolve) => (this.#wake = resolve))
      this.#wake = undefined
    }
  }

  /** All of it, in memory that nobody else has. `expected`: its Content-Length, when there is one. */
  async collect(expected) {
    let buffer = new ArrayBuffer(Math.min(expected || MIN_BUFFER_BYTES, MAX_HINT_BYTES))
    let size = 0
    for (let bytes = await this.next(); bytes !== undefined; bytes = await this.next()) {
      if (size + bytes.length > buffer.byteLength) buffer = buffer.transfer(Math.max(size + bytes.length, 2 * size))
      new Uint8Array(buffer, size).set(bytes)
      size += bytes.length
    }
    return Buffer.from(size === buffer.byteLength ? buffer : buffer.transfer(size))
  }

  stream() {
    return new ReadableStream(
      {
        type: 'bytes',
        pull: async (controller) => {
          const bytes = await this.next()
          // A copy: the stream may transfer what it is given, and these bytes lie in a buffer with other frames.
          if (bytes !== undefined) return controller.enqueue(new Uint8Array(bytes))
          controller.close()
          controller.byobRequest?.respond(0)
        },
      },
      { highWaterMark: 0 },
    )
  }

  #grant(bytes) {
    this.#used += bytes
    if (this.#used < WINDOW_BYTES / 2 || this.#ended) return
    const grant = Buffer.allocUnsafe(4)
    grant.writeUInt32LE(this.#used)
    this.#used = 0
    this.#wire.send(TYPE.window, this.#call, grant)
  }
}

module.exports = { IncomingBody }
