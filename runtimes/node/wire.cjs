'use strict'
// Frames over the socket to the invoker: core/frames.ts has the format. Written once per turn of the event loop, or at once.
// Taken now: a function may put its own in its place.
const { writeSync } = require('node:fs')

const TYPE = {
  ready: 1,
  load: 2,
  loaded: 3,
  invoke: 4,
  body: 5,
  head: 6,
  failure: 7,
  log: 8,
  cancel: 9,
  window: 10,
  ping: 11,
  pong: 12,
  done: 13,
}
/** Type and flags are neighbours in a frame: here one number, as in `TYPE.body | FLAG.end`. */
const FLAG = { end: 0x100, done: 0x200, cancelled: 0x400 }
const TYPE_MASK = 0xff
const PROTOCOL = 1
const HEADER_BYTES = 12
const INLINE_BYTES = 65_536
const WINDOW_BYTES = 1_048_576
const CHUNK_BYTES = 65_536
const SLAB_BYTES = 65_536
/** Longer payloads are handed to the socket as they are. */
const COPY_BYTES = 8_192
const NOTHING = Buffer.alloc(0)
/** How long a full socket is waited for. */
const STALL_MS = 1_000

class Wire {
  #socket
  #onFrame
  #parts = []
  #have = 0
  #need = HEADER_BYTES
  #slab = Buffer.allocUnsafeSlow(SLAB_BYTES)
  #start = 0
  #used = 0
  #out = []
  #scheduled = false
  #flush = () => {
    this.#scheduled = false
    this.flush()
  }

  /** @param onFrame (kind, call, payload): the payload may be kept */
  constructor(socket, onFrame) {
    this.#socket = socket
    this.#onFrame = onFrame
    socket.on('data', (chunk) => this.#push(chunk))
  }

  /** @param body bytes or text; @param head JSON that goes in front of the body with its length */
  send(kind, call, body, head) {
    this.#append(kind, call, body, head)
    if (this.#scheduled) return
    this.#scheduled = true
    setImmediate(this.#flush)
  }

  /** As send, but it and all before it have left the process by then: the event loop may never turn again. */
  sendNow(kind, call, body) {
    this.#append(kind, call, body)
    this.flushNow()
  }

  #append(kind, call, body = NOTHING, head) {
    const text = typeof body === 'string'
    const bodyBytes = text ? Buffer.byteLength(body) : body.length
    const headBytes = head === undefined ? 0 : Buffer.byteLength(head)
    const front = HEADER_BYTES + (head === undefined ? 0 : 4 + headBytes)
    const inline = text || bodyBytes <= COPY_BYTES
    const offset = this.#reserve(front + (inline ? bodyBytes : 0))
    const slab = this.#slab
    slab.writeUInt32LE(front + bodyBytes - 4, offset)
    slab.writeUInt16LE(kind, offset + 4)
    slab.writeUInt16LE(0, offset + 6)
    slab.writeUInt32LE(call, offset + 8)
    if (head !== undefined) {
      slab.writeUInt32LE(headBytes, offset + HEADER_BYTES)
      slab.utf8Write(head, offset + HEADER_BYTES + 4, headBytes)
    }
    if (text) slab.utf8Write(body, offset + front, bodyBytes)
    else if (inline) slab.set(body, offset + front)
    else {
      this.#closeSlice()
      this.#out.push(body)
    }
  }

  /** Resolves when a slow reader has caught up, so that a fast writer does not fill the memory. */
  drained() {
    if (!this.#socket.writableNeedDrain) return undefined
    return new Promise((resolve) => this.#socket.once('drain', resolve))
  }

  /** Hands everything to the socket, which keeps what the kernel does not take until the event loop turns. */
  flush() {
    const out = this.#take()
    if (out.length === 0) return
    if (out.length === 1) {
      this.#socket.write(out[0])
      return
    }
    this.#socket.cork()
    for (const piece of out) this.#socket.write(piece)
    this.#socket.uncork()
  }

  /** Hands everything to the kernel, and waits for it a while: also what is called before the process ends. */
  flushNow() {
    for (const piece of this.#take()) {
      // What the socket keeps already must go first.
      const offset = this.#socket.writableLength === 0 ? writeNow(this.#socket._handle?.fd, piece) : 0
      if (offset < piece.length) this.#socket.write(piece.subarray(offset))
    }
  }

  #take() {
    this.#closeSlice()
    const out = this.#out
    this.#out = []
    return this.#socket.destroyed ? [] : out
  }

  #reserve(bytes) {
    if (this.#used + bytes > this.#slab.length) {
      this.#closeSlice()
      this.#slab = Buffer.allocUnsafeSlow(Math.max(SLAB_BYTES, bytes))
      this.#start = 0
      this.#used = 0
    }
    const offset = this.#used
    this.#used += bytes
    return offset
  }

  // The socket may hold a slice until it is written, so no byte of it is ever written again.
  #closeSlice() {
    if (this.#used > this.#start) this.#out.push(this.#slab.subarray(this.#start, this.#used))
    this.#start = this.#used
  }

  #push(chunk) {
    this.#parts.push(chunk)
    this.#have += chunk.length
    if (this.#have < this.#need) return
    const bytes = this.#parts.length === 1 ? chunk : Buffer.concat(this.#parts, this.#have)
    const rest = bytes.subarray(this.#cut(bytes))
    this.#parts = rest.length === 0 ? [] : [rest]
    this.#have = rest.length
  }

  #cut(bytes) {
    let offset = 0
    this.#need = HEADER_BYTES
    while (bytes.length - offset >= HEADER_BYTES) {
      const size = bytes.readUInt32LE(offset) + 4
      if (bytes.length - offset < size) {
        this.#need = size
        break
      }
      const payload = bytes.subarray(offset + HEADER_BYTES, offset + size)
      this.#onFrame(bytes.readUInt16LE(offset + 4), bytes.readUInt32LE(offset + 8), payload)
      offset += size
    }
    return offset
  }
}

/** Gives how many bytes went. */
function writeNow(fd, bytes) {
  let offset = 0
  for (let waited = 0; offset < bytes.length && waited < STALL_MS;) {
    try {
      offset += writeSync(fd, bytes, offset)
    } catch (error) {
      if (error.code !== 'EAGAIN') break
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 1)
      waited++
    }
  }
  return offset
}

module.exports = { Wire, TYPE, FLAG, TYPE_MASK, PROTOCOL, INLINE_BYTES, WINDOW_BYTES, CHUNK_BYTES, NOTHING }
