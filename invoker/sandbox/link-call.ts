// One call over a link: its request goes out, its response comes in, both within their windows.
import {
  type CallEnd,
  CHUNK_BYTES,
  type Frame,
  FrameError,
  FrameFlag,
  FrameType,
  HEAD_START,
  headEnd,
  INLINE_BYTES,
  parseJson,
  WINDOW_BYTES,
} from '#core/frames'
import type { Body, Invocation, ResponseSink } from '#core/invocation'
import type { Outcome } from '#core/outcome'

import type { FrameSocket } from './frame-socket.ts'
import { MAX_LOG_BYTES, readCallEnd, readFailure, readLog } from './link-messages.ts'
import { invokeHead } from './invoke-head.ts'
import type { ResponseHeadReader } from './response-head.ts'

const NOTHING = Buffer.alloc(0)

/** What a call needs of its link. */
export interface CallLink {
  readonly socket: FrameSocket
  readonly channel: number
  readonly heads: ResponseHeadReader
}

export class LinkCall {
  readonly number: number
  readonly #link: CallLink
  readonly #sink: ResponseSink
  readonly #onSettled: (outcome: Outcome | undefined) => void
  #memoryMiB = 0
  #status: number | undefined
  /** The response was not one that can be sent. */
  #failed: Outcome | undefined
  #responding = false
  #ended = false
  #settled = false
  #logBytes = 0
  /** Bytes that we may still send. */
  #outWindow = WINDOW_BYTES
  #outWaiter: (() => void) | undefined
  /** Bytes that the sandbox may still send. */
  #inWindow = WINDOW_BYTES
  #consumed = 0

  /** @param onSettled called once; with undefined when the sandbox ended under the call */
  constructor(link: CallLink, number: number, sink: ResponseSink, onSettled: (outcome: Outcome | undefined) => void) {
    this.#link = link
    this.number = number
    this.#sink = sink
    this.#onSettled = onSettled
  }

  start(invocation: Invocation, deadline: number): void {
    const { request, version } = invocation
    this.#memoryMiB = version.spec.memoryMiB
    const { body } = request
    const inline = body instanceof Uint8Array && body.length <= INLINE_BYTES
    const head = invokeHead(invocation, deadline)
    this.#send(FrameType.invoke, inline ? FrameFlag.end : FrameFlag.none, inline ? body : NOTHING, head)
    if (!inline) void this.#sendBody(body)
  }

  cancel(): void {
    if (!this.#settled) this.#send(FrameType.cancel, FrameFlag.none)
  }

  settle(outcome: Outcome | undefined): void {
    if (this.#settled) return
    this.#settled = true
    this.#outWaiter?.()
    this.#onSettled(outcome)
  }

  /** @throws FrameError */
  receive(frame: Frame): void {
    switch (frame.type) {
      case FrameType.head:
        this.#onHead(frame)
        break
      case FrameType.body:
        this.#onBody(frame)
        break
      case FrameType.failure:
        return this.settle(this.#failed ?? { kind: 'failed', failure: readFailure(parseJson(frame.payload)) })
      case FrameType.log:
        return this.#onLog(frame)
      case FrameType.window:
        return this.#onWindow(frame)
      case FrameType.done:
        return this.#onDone(frame.flags, frame.payload)
      default:
        throw new FrameError(`a sandbox does not send frames of type ${frame.type} in a call`)
    }
    if ((frame.flags & FrameFlag.end) !== 0) this.#onEnd()
    if ((frame.flags & FrameFlag.done) !== 0) this.#onDone(frame.flags)
  }

  #onHead(frame: Frame): void {
    if (this.#responding) throw new FrameError('a second response head for one call')
    this.#responding = true
    const { payload } = frame
    const end = headEnd(payload)
    const response = this.#link.heads.read(payload, HEAD_START, end)
    if ('type' in response) {
      this.#failed = { kind: 'failed', failure: response }
      return
    }
    this.#status = response.status
    const whole = (frame.flags & FrameFlag.end) !== 0
    const body = end === payload.length ? NOTHING : payload.subarray(end)
    this.#sink.head(response, whole ? body : undefined)
    if (!whole && body.length > 0) void this.#sink.chunk(body)
  }

  #onBody(frame: Frame): void {
    const { length } = frame.payload
    if (!this.#responding || this.#ended) throw new FrameError('response bytes outside of a response')
    this.#inWindow -= length
    if (this.#inWindow < 0) throw new FrameError('more response bytes than the window allows')
    if (this.#failed !== undefined || length === 0) return this.#grant(length)
    const wait = this.#sink.chunk(frame.payload)
    if (wait === undefined) this.#grant(length)
    else void wait.then(() => this.#grant(length))
  }

  #onEnd(): void {
    if (this.#ended) throw new FrameError('a second end of one response')
    this.#ended = true
    if (this.#failed === undefined) this.#sink.end()
  }

  #onDone(flags: number, end?: Frame['payload']): void {
    if ((flags & FrameFlag.cancelled) !== 0) return this.settle({ kind: 'cancelled' })
    if (end !== undefined && end.length > 0) return this.settle(this.#outcomeOf(readCallEnd(parseJson(end))))
    if (this.#failed !== undefined) return this.settle(this.#failed)
    if (this.#ended && this.#status !== undefined) return this.settle({ kind: 'responded', status: this.#status })
    const message = this.#responding ? 'the response was not completed' : 'the function gave no response'
    this.settle({ kind: 'failed', failure: { type: 'NoResponse', message } })
  }

  #outcomeOf(end: CallEnd): Outcome {
    return end.kind === 'exited' ? end : { kind: 'out-of-memory', limitMiB: this.#memoryMiB }
  }

  #onLog(frame: Frame): void {
    if (this.#logBytes > MAX_LOG_BYTES) return
    this.#logBytes += frame.payload.length
    const line = readLog(frame.payload)
    const full = this.#logBytes > MAX_LOG_BYTES
    this.#sink.log(full ? { ...line, text: `[output after ${MAX_LOG_BYTES} bytes dropped]` } : line)
  }

  #onWindow(frame: Frame): void {
    if (frame.payload.length !== 4) throw new FrameError('a window frame has 4 bytes')
    this.#outWindow += frame.payload.readUInt32LE(0)
    this.#outWaiter?.()
  }

  #grant(bytes: number): void {
    this.#consumed += bytes
    if (this.#consumed < WINDOW_BYTES / 2 || this.#ended || this.#settled) return
    const grant = Buffer.allocUnsafe(4)
    grant.writeUInt32LE(this.#consumed)
    this.#inWindow += this.#consumed
    this.#consumed = 0
    this.#send(FrameType.window, FrameFlag.none, grant)
  }

  async #sendBody(body: Body): Promise<void> {
    try {
      for await (const chunk of body instanceof Uint8Array ? [body] : body) {
        await this.#sendChunk(chunk)
        if (this.#settled) return
      }
      this.#send(FrameType.body, FrameFlag.end)
    } catch {
      // The source of the body broke: whoever owns it knows why. The function must not take half a body for a whole one.
      this.cancel()
    }
  }

  async #sendChunk(chunk: Uint8Array): Promise<void> {
    for (let offset = 0; offset < chunk.length && !this.#settled;) {
      if (this.#outWindow === 0) await this.#windowOpens()
      const size = Math.min(CHUNK_BYTES, this.#outWindow, chunk.length - offset)
      if (size === 0 || this.#settled) continue
      this.#outWindow -= size
      this.#send(FrameType.body, FrameFlag.none, chunk.subarray(offset, offset + size))
      offset += size
      const drained = this.#link.socket.drained()
      if (drained !== undefined) await drained
    }
  }

  #windowOpens(): Promise<void> {
    return new Promise((resolve) => {
      this.#outWaiter = () => {
        this.#outWaiter = undefined
        resolve()
      }
    })
  }

  #send(type: FrameType, flags: number, payload?: Uint8Array, head?: string): void {
    const { socket, channel } = this.#link
    socket.send({ type, flags, channel, call: this.number }, payload, head)
  }
}
