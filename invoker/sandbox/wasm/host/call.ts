// One call in a worker, as its guest sees it: a request body to read, a response to give, a log. Speaks frames.
import { systemClock } from '#core/clock'
import {
  type CallEnd,
  CHUNK_BYTES,
  FrameFlag,
  FrameType,
  INLINE_BYTES,
  type Frame,
  type InvokeHead,
  WINDOW_BYTES,
} from '#core/frames'
import type { FunctionFailure } from '#core/outcome'

import type { FrameSocket } from '../../frame-socket.ts'
import { MAX_LOG_BYTES } from '../../link-messages.ts'
import { MAX_BODY_BYTES } from '../control.ts'
import { BodyQueue } from './body-queue.ts'

type Headers = readonly (readonly [string, string])[]

export interface CallOptions {
  readonly socket: FrameSocket
  readonly channel: number
  readonly number: number
  readonly head: InvokeHead
  /** Once, when the call has its end. */
  readonly onOver: () => void
}

const GRANT_BYTES = WINDOW_BYTES / 2

export class Call {
  readonly number: number
  readonly head: InvokeHead
  readonly body: BodyQueue
  /** What runs the call: told when nobody wants it any more. */
  onStop: (() => void) | undefined
  readonly #options: CallOptions
  #read = 0
  #outWindow = WINDOW_BYTES
  #queued: Uint8Array[] = []
  #queuedBytes = 0
  #sentBytes = 0
  #logBytes = 0
  #drained: (() => void) | undefined
  #responding = false
  #ended = false
  /** Wanted, and sent once everything before it has been. */
  #endWanted = false
  #doneWanted = false
  #cancelled = false
  #over = false

  constructor(options: CallOptions) {
    this.#options = options
    this.number = options.number
    this.head = options.head
    this.body = new BodyQueue((bytes) => this.#grant(bytes))
  }

  /** Whether the caller does not want it any more. */
  get cancelled(): boolean {
    return this.#cancelled
  }

  get over(): boolean {
    return this.#over
  }

  /** Whether its response is complete, sent or not. */
  get answered(): boolean {
    return this.#ended || this.#endWanted
  }

  receive(frame: Frame): void {
    if (frame.type === FrameType.body) this.body.push(frame.payload, (frame.flags & FrameFlag.end) !== 0)
    else if (frame.type === FrameType.cancel) this.cancel()
    else if (frame.type === FrameType.window) {
      this.#outWindow += frame.payload.readUInt32LE(0)
      this.#flush()
    }
  }

  cancel(): void {
    if (this.#cancelled) return
    this.#cancelled = true
    this.body.close()
    this.onStop?.()
  }

  /** The whole response at once, and the end of the call when `done`. */
  respond(status: number, headers: Headers, body: Uint8Array, done: boolean): void {
    if (this.#over || this.#responding) return
    if (body.length > MAX_BODY_BYTES) return this.#failTooLarge()
    if (body.length > INLINE_BYTES) {
      this.giveHead(status, headers)
      void this.giveChunk(body)
      this.giveEnd()
      if (done) this.done()
      return
    }
    this.#responding = true
    this.#ended = true
    const flags = done ? FrameFlag.end | FrameFlag.done : FrameFlag.end
    this.#send(FrameType.head, flags, body, JSON.stringify({ status, headers }))
    if (done) this.#finish()
  }

  giveHead(status: number, headers: Headers): void {
    if (this.#over || this.#responding) return
    this.#responding = true
    this.#send(FrameType.head, FrameFlag.none, undefined, JSON.stringify({ status, headers }))
  }

  /** @returns a promise when the receiver is slow: resolves when there is room for more */
  giveChunk(bytes: Uint8Array): Promise<void> | undefined {
    if (this.#over || this.#endWanted || bytes.length === 0) return undefined
    this.#sentBytes += bytes.length
    if (this.#sentBytes > MAX_BODY_BYTES) {
      this.#failTooLarge()
      this.onStop?.()
      return undefined
    }
    this.#queued.push(bytes)
    this.#queuedBytes += bytes.length
    this.#flush()
    if (this.#queuedBytes === 0) return undefined
    const { promise, resolve } = Promise.withResolvers<void>()
    this.#drained = resolve
    return promise
  }

  giveEnd(): void {
    this.#endWanted = true
    this.#flush()
  }

  /** The call is over and its guest at rest. What was given before is still sent. */
  done(): void {
    this.#doneWanted = true
    this.#flush()
  }

  fail(failure: FunctionFailure): void {
    if (this.#over) return
    this.#send(FrameType.failure, FrameFlag.none, Buffer.from(JSON.stringify(failure)))
    this.#finish()
  }

  /** What it ran in is gone. */
  end(end: CallEnd): void {
    if (this.#over) return
    this.#send(FrameType.done, FrameFlag.done, Buffer.from(JSON.stringify(end)))
    this.#finish()
  }

  /** It has stopped because it was cancelled. */
  stopped(): void {
    if (this.#over) return
    this.#send(FrameType.done, FrameFlag.done | FrameFlag.cancelled)
    this.#finish()
  }

  /** Leaves the worker at once: the guest may never give it another turn. What the driver would drop does not leave. */
  log(stream: 'stdout' | 'stderr', text: string): void {
    if (this.#over || this.#logBytes > MAX_LOG_BYTES) return
    const payload = Buffer.allocUnsafe(9 + Buffer.byteLength(text))
    payload.writeDoubleLE(systemClock.now(), 0)
    payload[8] = stream === 'stdout' ? 1 : 2
    payload.write(text, 9, 'utf8')
    this.#logBytes += payload.length
    this.#send(FrameType.log, FrameFlag.none, payload)
    this.flush()
  }

  /** What was given leaves the worker now, as far as its receiver has room. */
  flush(): void {
    this.#options.socket.flush()
  }

  #failTooLarge(): void {
    this.fail({ type: 'ResponseTooLarge', message: `a response body has at most ${MAX_BODY_BYTES} bytes` })
  }

  #flush(): void {
    if (this.#over) return
    while (this.#outWindow > 0 && this.#queuedBytes > 0) {
      const first = this.#queued[0]!
      const size = Math.min(CHUNK_BYTES, this.#outWindow, first.length)
      if (size === first.length) this.#queued.shift()
      else this.#queued[0] = first.subarray(size)
      this.#outWindow -= size
      this.#queuedBytes -= size
      this.#send(FrameType.body, FrameFlag.none, first.subarray(0, size))
    }
    if (this.#queuedBytes > 0) return
    this.#drained?.()
    this.#drained = undefined
    if (this.#endWanted && this.#responding && !this.#ended) {
      this.#ended = true
      this.#send(FrameType.body, FrameFlag.end)
    }
    if (!this.#doneWanted) return
    this.#send(FrameType.done, FrameFlag.done)
    this.#finish()
  }

  #grant(bytes: number): void {
    this.#read += bytes
    if (this.#read < GRANT_BYTES || this.#over) return
    const grant = Buffer.allocUnsafe(4)
    grant.writeUInt32LE(this.#read)
    this.#read = 0
    this.#send(FrameType.window, FrameFlag.none, grant)
  }

  #finish(): void {
    this.#over = true
    this.#queued = []
    this.#queuedBytes = 0
    this.#drained?.()
    this.#options.onOver()
  }

  #send(type: FrameType, flags: number, payload?: Uint8Array, head?: string): void {
    const { socket, channel } = this.#options
    socket.send({ type, flags, channel, call: this.number }, payload, head)
  }
}
