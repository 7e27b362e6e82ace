// Frames over one byte stream: written once per turn of the event loop, read as they come. Does not know what they mean.
import type { Duplex } from 'node:stream'

import { type Frame, FrameDecoder, HEADER_BYTES } from '#core/frames'

const SLAB_BYTES = 65_536
/** Longer payloads are handed to the stream as they are; shorter ones are copied next to each other. */
const COPY_BYTES = 8_192
/** Bytes that a UTF-16 unit can take. To reserve that much is cheaper than to count first. */
const MOST_UTF8 = 3

export interface FrameSocketEvents {
  readonly onFrame: (frame: Frame) => void
  /** Once; with the error when the stream broke or the peer violated the protocol. */
  readonly onClose: (error: Error | undefined) => void
}

/** Owns the stream: closing the one closes the other. */
export class FrameSocket {
  readonly #stream: Duplex
  #slab = Buffer.allocUnsafe(SLAB_BYTES)
  #start = 0
  #used = 0
  #out: Buffer[] = []
  #scheduled = false
  #closed = false
  #drained: Promise<void> | undefined

  constructor(stream: Duplex, { onFrame, onClose }: FrameSocketEvents) {
    this.#stream = stream
    const decoder = new FrameDecoder(onFrame)
    let failure: Error | undefined
    stream.on('data', (chunk: Buffer) => {
      if (this.#closed) return
      try {
        decoder.push(chunk)
      } catch (error) {
        failure = error as Error
        this.close()
      }
    })
    stream.on('error', (error) => (failure ??= error))
    stream.on('end', () => this.close())
    stream.once('close', () => {
      this.#closed = true
      onClose(failure)
    })
  }

  get closed(): boolean {
    return this.#closed
  }

  /** `head` goes in front of the payload with its length, as in load, invoke and head frames. */
  send(frame: Omit<Frame, 'payload'>, payload?: Uint8Array, head?: string): void {
    if (this.#closed) return
    const bodyBytes = payload === undefined ? 0 : payload.length
    const inline = bodyBytes <= COPY_BYTES
    const most = HEADER_BYTES + (head === undefined ? 0 : 4 + MOST_UTF8 * head.length) + (inline ? bodyBytes : 0)
    const offset = this.#reserve(most)
    const slab = this.#slab
    slab[offset + 4] = frame.type
    slab[offset + 5] = frame.flags
    slab.writeUInt16LE(frame.channel, offset + 6)
    slab.writeUInt32LE(frame.call, offset + 8)
    let front = HEADER_BYTES
    if (head !== undefined) {
      const headBytes = slab.write(head, offset + HEADER_BYTES + 4)
      slab.writeUInt32LE(headBytes, offset + HEADER_BYTES)
      front += 4 + headBytes
    }
    slab.writeUInt32LE(front + bodyBytes - 4, offset)
    if (payload !== undefined && inline && bodyBytes > 0) slab.set(payload, offset + front)
    this.#used = offset + front + (inline ? bodyBytes : 0)
    if (payload !== undefined && !inline) {
      this.#closeSlice()
      this.#out.push(Buffer.from(payload.buffer, payload.byteOffset, payload.byteLength))
    }
    this.#schedule()
  }

  /** Does not wait for the end of the turn, which does not come while other code of the thread spins. */
  flush(): void {
    this.#flush()
  }

  /** Resolves when what was sent has left the process, so that a fast sender does not fill the memory. */
  drained(): Promise<void> | undefined {
    if (!this.#stream.writableNeedDrain) return undefined
    this.#drained ??= new Promise((resolve) => {
      const done = (): void => {
        this.#drained = undefined
        this.#stream.off('drain', done)
        this.#stream.off('close', done)
        resolve()
      }
      this.#stream.on('drain', done)
      this.#stream.on('close', done)
    })
    return this.#drained
  }

  close(): void {
    this.#closed = true
    this.#stream.destroy()
  }

  /** Makes room; what is used of it the caller says. */
  #reserve(bytes: number): number {
    if (this.#used + bytes > this.#slab.length) {
      this.#closeSlice()
      this.#slab = Buffer.allocUnsafe(Math.max(SLAB_BYTES, bytes))
      this.#start = 0
      this.#used = 0
    }
    return this.#used
  }

  /** What lies in the slab since the last slice goes out in one piece. Never written again: the stream may still hold it. */
  #closeSlice(): void {
    if (this.#used > this.#start) this.#out.push(this.#slab.subarray(this.#start, this.#used))
    this.#start = this.#used
  }

  #schedule(): void {
    if (this.#scheduled) return
    this.#scheduled = true
    setImmediate(() => {
      this.#scheduled = false
      this.#flush()
    })
  }

  #flush(): void {
    this.#closeSlice()
    const out = this.#out
    if (out.length === 0 || this.#closed) return
    this.#out = []
    if (out.length === 1) {
      this.#stream.write(out[0])
      return
    }
    this.#stream.cork()
    for (const piece of out) this.#stream.write(piece)
    this.#stream.uncork()
  }
}
