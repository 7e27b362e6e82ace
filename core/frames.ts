// The wire between an invoker and what runs code: gateway ↔ invoker, invoker ↔ container, invoker ↔ Wasm host.
// Knows bytes only; what the messages do is in invoker/sandbox/link.ts and in the agents under runtimes/.
//
// A frame: u32 length of what follows the length, u8 type, u8 flags, u16 channel, u32 call, payload. Little-endian.
// Channel: which sandbox, where one stream serves several; 0 in a container. Call: which invocation; 0 is the sandbox
// itself. A call ends with a frame that has DONE. Payloads:
//
//   to the sandbox
//   load    u32 length + JSON of LoadHead; code follows as body frames of call 0, the last with END (END at once: no code)
//   invoke  u32 length + JSON of InvokeHead, then the first bytes of the body; END when they are all of it
//   cancel  empty: stop the call; answered by done with CANCELLED when it has stopped, or by its normal end
//   ping    empty, call 0; answered by pong from the thread that runs the code
//   from the sandbox
//   ready   JSON of ReadyHead, call 0, once
//   loaded  JSON of LoadResult (invoker/sandbox/driver.ts), call 0, once
//   head    u32 length + JSON of ResponseHead, then the first bytes of the body; END when they are all of it
//   failure JSON of FunctionFailure; ends the call, in mid-response too. Of call 0: an error that nobody caught ends the
//           sandbox; a call whose end comes after it is over when the sandbox is gone
//   body    of call 0, after loaded, where the head of load had `compiles`: a pack (core/pack.ts) of what compiling gave,
//           END with the last; not limited by a window
//   done    empty, or JSON of CallEnd: the call is over and its log lines are sent (where no
//           frame before had DONE)
//   log     f64 ms since the epoch, u8 1 stdout or 2 stderr, UTF-8 text without line end; call 0 outside of a call
//   both ways
//   body    bytes; END with the last
//   window  u32: the peer may send that many more body bytes of this call. Body frames (not the first bytes in invoke
//           and head, which are at most INLINE_BYTES) use up the window, WINDOW_BYTES at first. Load is not limited.

export const FrameType = {
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
} as const
export type FrameType = (typeof FrameType)[keyof typeof FrameType]

export const FrameFlag = { none: 0, end: 1, done: 2, cancelled: 4 } as const

export const PROTOCOL = 1
/** Bytes of a frame before its payload, the length included. */
export const HEADER_BYTES = 12
/** Most body bytes that ride in an invoke or head frame. */
export const INLINE_BYTES = 65_536
/** Body bytes that may be under way per call and direction before the receiver grants more. */
export const WINDOW_BYTES = 1_048_576
/** Senders cut bodies into frames of at most this size. */
export const CHUNK_BYTES = 65_536
/** A longer frame is a violation of the protocol. */
export const MAX_FRAME_BYTES = 16_777_216

export interface ReadyHead {
  readonly protocol: typeof PROTOCOL
  /** For instance "node 26.10.0". */
  readonly runtime: string
}

export interface InvokeHead {
  readonly id: string
  readonly method: string
  readonly target: string
  readonly origin: string
  readonly headers: readonly (readonly [string, string])[]
  readonly attempt: number
  /** ms since the epoch */
  readonly deadline: number
}

/** What a call ran in came to its end with it, and the sandbox lives on: a process or an instance for each call. */
export type CallEnd = { readonly kind: 'exited'; readonly detail: string } | { readonly kind: 'out-of-memory' }

export interface Frame {
  readonly type: number
  readonly flags: number
  readonly channel: number
  readonly call: number
  /** Shares memory with what was read; the receiver may keep it. */
  readonly payload: Buffer
}

export class FrameError extends Error {
  override readonly name = 'FrameError'
}

/** Cuts a stream of bytes into frames. */
export class FrameDecoder {
  readonly #onFrame: (frame: Frame) => void
  #parts: Buffer[] = []
  #have = 0
  #need = HEADER_BYTES

  constructor(onFrame: (frame: Frame) => void) {
    this.#onFrame = onFrame
  }

  /** @throws FrameError when the bytes are not frames; the stream is then useless */
  push(chunk: Buffer): void {
    this.#parts.push(chunk)
    this.#have += chunk.length
    if (this.#have < this.#need) return
    const bytes = this.#parts.length === 1 ? chunk : Buffer.concat(this.#parts, this.#have)
    const rest = this.#take(bytes)
    this.#parts = rest.length === 0 ? [] : [rest]
    this.#have = rest.length
  }

  #take(bytes: Buffer): Buffer {
    let offset = 0
    this.#need = HEADER_BYTES
    while (bytes.length - offset >= HEADER_BYTES) {
      const size = bytes.readUInt32LE(offset) + 4
      if (size < HEADER_BYTES || size > MAX_FRAME_BYTES) {
        throw new FrameError(`a frame has ${HEADER_BYTES} to ${MAX_FRAME_BYTES} bytes: received one of ${size}`)
      }
      if (bytes.length - offset < size) {
        this.#need = size
        break
      }
      this.#onFrame({
        type: bytes[offset + 4]!,
        flags: bytes[offset + 5]!,
        channel: bytes.readUInt16LE(offset + 6),
        call: bytes.readUInt32LE(offset + 8),
        payload: bytes.subarray(offset + HEADER_BYTES, offset + size),
      })
      offset += size
    }
    return offset === 0 ? bytes : bytes.subarray(offset)
  }
}

/** Where the JSON begins in a payload that has JSON and bytes: load, invoke, head. */
export const HEAD_START = 4

/** Where that JSON ends and the bytes begin. @throws FrameError */
export function headEnd(payload: Buffer): number {
  if (payload.length < HEAD_START) throw new FrameError(`a head has at least 4 bytes: received ${payload.length}`)
  const size = payload.readUInt32LE(0)
  if (HEAD_START + size > payload.length) {
    throw new FrameError(`a head of ${size} bytes in a payload of ${payload.length}`)
  }
  return HEAD_START + size
}

/** The JSON and the bytes of such a payload. @throws FrameError */
export function splitHead(payload: Buffer): { head: unknown; body: Buffer } {
  const end = headEnd(payload)
  return { head: parseJson(payload.subarray(HEAD_START, end)), body: payload.subarray(end) }
}

/** @throws FrameError */
export function parseJson(bytes: Buffer): unknown {
  try {
    return JSON.parse(bytes.toString('utf8'))
  } catch (cause) {
    throw new FrameError(`JSON is expected: received ${bytes.length} bytes of something else`, { cause })
  }
}
