// One sandbox at the other end of a frame channel: load, invoke, ping. What every driver whose sandboxes speak frames
// shares. Trusts nothing that arrives: a sandbox runs other people's code.
import { type Clock, systemClock } from '#core/clock'
import { CHUNK_BYTES, type Frame, FrameError, FrameFlag, FrameType, parseJson, type ReadyHead } from '#core/frames'
import type { Invocation, ResponseSink } from '#core/invocation'
import type { Outcome } from '#core/outcome'
import type { StopSignal } from '#core/stop-signal'

import { CallTable } from './call-table.ts'
import type { LoadResult } from './driver.ts'
import type { FrameSocket } from './frame-socket.ts'
import { type CallLink, LinkCall } from './link-call.ts'
import { readFailure, readLoadResult, readLog } from './link-messages.ts'
import { ResponseHeadReader } from './response-head.ts'

export interface LinkOptions {
  readonly socket: FrameSocket
  /** 0 where the stream serves one sandbox only. */
  readonly channel: number
  /** The sandbox broke the protocol: the owner disposes of it. */
  readonly onViolation: (error: FrameError) => void
  readonly clock?: Clock
}

/** The owner of the socket hands in the channel's frames by `receive`, and calls `close` when the sandbox is gone. */
export class SandboxLink implements CallLink {
  /** Rejects when the link closes first. */
  readonly ready: Promise<ReadyHead>
  /** Resolves when the sandbox takes no more calls: it is about to end, or the link is closed. */
  readonly ending: Promise<void>
  readonly socket: FrameSocket
  readonly channel: number
  readonly heads = new ResponseHeadReader()
  readonly #onViolation: (error: FrameError) => void
  readonly #clock: Clock
  readonly #calls = new CallTable<LinkCall>()
  readonly #pings: ((answered: boolean) => void)[] = []
  #ready = Promise.withResolvers<ReadyHead>()
  readonly #ending = Promise.withResolvers<void>()
  readonly #gone = Promise.withResolvers<void>()
  #uncaught: string | undefined
  #compiled: { pieces: Buffer[]; left: number; resolve: (pack: Buffer | undefined) => void } | undefined
  #loading: { sink: ResponseSink | undefined; resolve: (result: LoadResult | undefined) => void } | undefined
  #closed = false

  constructor({ socket, channel, onViolation, clock = systemClock }: LinkOptions) {
    this.socket = socket
    this.channel = channel
    this.#onViolation = onViolation
    this.#clock = clock
    this.ready = this.#ready.promise
    this.ready.catch(() => {})
    this.ending = this.#ending.promise
  }

  /** The type of the error that ends the sandbox, when there is one that nobody caught. */
  get uncaught(): string | undefined {
    return this.#uncaught
  }

  /** Takes a frame of this channel. */
  receive(frame: Frame): void {
    if (this.#closed) return
    try {
      if (frame.call === 0) this.#receiveForSandbox(frame)
      else this.#calls.get(frame.call)?.receive(frame)
    } catch (error) {
      if (!(error instanceof FrameError)) throw error
      this.#onViolation(error)
    }
  }

  /** Ends everything under way: calls and load resolve with undefined. Idempotent. */
  close(): void {
    if (this.#closed) return
    this.#closed = true
    this.#ending.resolve()
    this.#gone.resolve()
    this.#ready.reject(new Error('the sandbox ended before it was ready'))
    this.#loading?.resolve(undefined)
    this.#compiled?.resolve(undefined)
    for (const call of this.#calls.toArray()) call.settle(undefined)
    for (const answer of this.#pings.splice(0)) answer(false)
  }

  /**
   * Sends code and waits until it is loaded.
   * @param head what the agent needs to know, see its LoadHead
   * @param sink takes the log lines of the top-level code
   * @returns undefined when the sandbox ended instead
   */
  async load(head: object, code: Uint8Array | undefined, sink?: ResponseSink): Promise<LoadResult | undefined> {
    if (this.#closed) return undefined
    const loaded = Promise.withResolvers<LoadResult | undefined>()
    this.#loading = { sink, resolve: loaded.resolve }
    const header = { type: FrameType.load, flags: FrameFlag.end, channel: this.channel, call: 0 }
    if (code === undefined) {
      this.socket.send(header, undefined, JSON.stringify(head))
    } else {
      this.socket.send({ ...header, flags: FrameFlag.none }, undefined, JSON.stringify(head))
      await this.#sendCode(code)
    }
    return loaded.promise
  }

  /**
   * What a load gives whose head has `compiles`; to be called before it. A pack, or undefined when the sandbox ended.
   * @param maxBytes more is a violation of the protocol
   */
  compiled(maxBytes: number): Promise<Buffer | undefined> {
    if (this.#closed) return Promise.resolve(undefined)
    return new Promise((resolve) => {
      this.#compiled = { pieces: [], left: maxBytes, resolve }
    })
  }

  /** As Sandbox.invoke, but resolves with undefined when the sandbox ended under the call: the driver knows why. */
  invoke(invocation: Invocation, sink: ResponseSink, signal: StopSignal): Promise<Outcome | undefined> {
    if (signal.aborted) return Promise.resolve({ kind: 'cancelled' })
    if (this.#closed) return Promise.resolve(undefined)
    return new Promise((resolve) => {
      const cancel = (): void => call.cancel()
      const call = new LinkCall(this, this.#calls.nextNumber(), sink, (outcome) => {
        this.#calls.delete(call)
        signal.removeEventListener('abort', cancel)
        // Its slot must not go to another call before the sandbox is gone.
        const last = this.#uncaught !== undefined && !this.#closed
        resolve(last ? this.#gone.promise.then(() => outcome) : outcome)
      })
      this.#calls.add(call)
      signal.addEventListener('abort', cancel)
      call.start(invocation, this.#clock.now() + invocation.version.spec.timeoutMs)
    })
  }

  responsive(timeoutMs: number): Promise<boolean> {
    if (this.#closed) return Promise.resolve(false)
    return new Promise((resolve) => {
      const answer = (answered: boolean): void => {
        timer[Symbol.dispose]()
        resolve(answered)
      }
      const timer = this.#clock.after(timeoutMs, () => {
        this.#pings.splice(this.#pings.indexOf(answer), 1)
        resolve(false)
      })
      this.#pings.push(answer)
      this.socket.send({ type: FrameType.ping, flags: FrameFlag.none, channel: this.channel, call: 0 })
    })
  }

  async #sendCode(code: Uint8Array): Promise<void> {
    for (let offset = 0; offset < code.length || offset === 0; offset += CHUNK_BYTES) {
      const last = offset + CHUNK_BYTES >= code.length
      this.socket.send(
        { type: FrameType.body, flags: last ? FrameFlag.end : FrameFlag.none, channel: this.channel, call: 0 },
        code.subarray(offset, offset + CHUNK_BYTES),
      )
      await this.socket.drained()
    }
  }

  #receiveCompiled({ payload, flags }: Frame): void {
    const compiled = this.#compiled
    if (compiled === undefined) throw new FrameError('compiled code that nobody asked for')
    compiled.left -= payload.length
    if (compiled.left < 0) throw new FrameError('more compiled code than is allowed')
    compiled.pieces.push(payload)
    if ((flags & FrameFlag.end) === 0) return
    this.#compiled = undefined
    compiled.resolve(Buffer.concat(compiled.pieces))
  }

  #receiveForSandbox(frame: Frame): void {
    switch (frame.type) {
      case FrameType.ready:
        return this.#ready.resolve(parseJson(frame.payload) as ReadyHead)
      case FrameType.loaded:
        this.#loading?.resolve(readLoadResult(parseJson(frame.payload)))
        this.#loading = undefined
        return
      case FrameType.body:
        return this.#receiveCompiled(frame)
      case FrameType.pong:
        for (const answer of this.#pings.splice(0)) answer(true)
        return
      case FrameType.log:
        this.#loading?.sink?.log(readLog(frame.payload))
        return
      case FrameType.failure:
        this.#uncaught ??= readFailure(parseJson(frame.payload)).type
        return this.#ending.resolve()
      default:
        throw new FrameError(`a sandbox does not send frames of type ${frame.type} outside of a call`)
    }
  }
}
