// Guests that export `handle` of runtimes/js/wit/function.wit.
import { type Clock, systemClock } from '#core/clock'

import { createWasi, type Wasi } from '../wasi/imports.ts'
import type { Call } from './call.ts'
import { Cores } from './cores.ts'
import { Futures } from './futures.ts'
import type { EgressResponse, Guest, GuestContext, GuestInstance } from './guest.ts'
import { Image } from './image.ts'
import { MAX_BODY_BYTES, type Redirect } from '../control.ts'
import { watchedViews } from './watched-views.ts'
import { endOf, failureOf } from './thrown.ts'

type Headers = [string, string][]

interface OutgoingRequest {
  readonly method: string
  readonly url: string
  readonly headers: Headers
  readonly body: Uint8Array
}
interface Response {
  readonly status: number
  readonly headers: Headers
  readonly body: Uint8Array
}
type FetchResult = { tag: 'ok'; val: EgressResponse } | { tag: 'err'; val: string }
type Handle = (request: object) => Promise<Response>

/** What a cancelled guest may still do, ms, when it asked to be told. */
const CANCEL_GRACE_MS = 50
const LEVEL_WARN = 3
/** An instance is thrown away after so many: QuickJS never gives their handles back, and the glue keeps 6 KB for each. */
const MAX_FUTURES = 1_000

/** A request as the guest sees it. No call has the number 0: see WasmManifest.rehearses. */
const REHEARSAL = {
  call: 0,
  method: 'GET',
  url: 'http://127.0.0.1/rehearsal?of=nothing',
  headers: [
    ['host', '127.0.0.1'],
    ['accept', '*/*'],
  ],
  body: new Uint8Array(0),
  invocation: '',
  attempt: 1,
  deadline: 0,
}

export class FunctionGuest implements Guest {
  readonly #context: GuestContext
  /** Of the last instance, to share what is equal in the next. */
  #image: Image | undefined

  constructor(context: GuestContext) {
    this.#context = context
  }

  async instantiate(): Promise<GuestInstance> {
    const { manifest, modules, instantiate } = this.#context
    const cores = new Cores()
    const host = new FunctionHost(this.#context, cores)
    const exports = await instantiate!((name) => modules.get(name), host.imports(), cores.instantiate, watchedViews)
    const handle = exports[manifest.export] as Handle
    if (this.#context.policy !== 'reset') return new FunctionInstance(handle, host, this.#context)
    if (manifest.rehearses === true) await handle(REHEARSAL)
    this.#image = new Image(cores, this.#image)
    return new FunctionInstance(handle, host, { ...this.#context, image: this.#image })
  }
}

/** The imports of one instance, and what they have under way. */
class FunctionHost {
  readonly futures = new Futures()
  readonly cores: Cores
  call: Call | undefined
  futuresMade = 0
  #futuresBefore = 0
  #onUncaught: (() => void) | undefined
  readonly #context: GuestContext
  readonly #clock: Clock = systemClock
  readonly wasi: Wasi
  /** Who wants to be told of the cancelling of the call. */
  readonly #cancelListeners: (() => void)[] = []

  constructor(context: GuestContext, cores: Cores) {
    this.wasi = createWasi({
      env: context.spec.env,
      egress: context.egress,
      log: (stream, text) => this.call?.log(stream, text),
    })
    this.#context = context
    this.cores = cores
  }

  imports(): Record<string, object> {
    const { env } = this.#context.spec
    const host = {
      log: (_call: number, level: number, message: string) =>
        this.call?.log(level >= LEVEL_WARN ? 'stderr' : 'stdout', message),
      random: (count: number) => crypto.getRandomValues(new Uint8Array(Math.min(count, 65_536))),
      now: () => this.#clock.now(),
      environment: () => Object.entries(env),
      sleep: (ms: number) => this.#future<number>((settle) => this.#clock.after(ms, () => settle(0))),
      fetch: (outgoing: OutgoingRequest, redirect?: Redirect) => this.#fetch(outgoing, redirect),
      emitHead: (_call: number, status: number, headers: Headers) => this.call?.giveHead(status, headers),
      emitChunk: (_call: number, bytes: Uint8Array) => void this.call?.giveChunk(bytes),
      emitEnd: () => this.call?.giveEnd(),
      fail: (_call: number, failure: object) => this.#uncaught(failure),
      cancelled: () => this.#cancelled(),
    }
    return { 'hearth:js/host': host, ...this.wasi.imports }
  }

  /** Whether the call has been given no future. */
  get settled(): boolean {
    return this.futuresMade === this.#futuresBefore
  }

  /** @param onUncaught when the call has failed by an error that nobody caught: its guest is not to go on */
  begin(call: Call, onUncaught: () => void): void {
    this.call = call
    this.#onUncaught = onUncaught
    this.#futuresBefore = this.futuresMade
    this.#cancelListeners.length = 0
  }

  /** Tells the guest that its call is cancelled. @returns false when it does not want to know */
  cancel(): boolean {
    for (const listener of this.#cancelListeners) listener()
    return this.#cancelListeners.length > 0
  }

  #uncaught(failure: object): boolean {
    if (this.call === undefined || this.call.answered) return false
    this.call.fail(failureOf(failure))
    this.#onUncaught?.()
    return true
  }

  /** Artifacts of older builds say nothing of redirects. */
  #fetch(outgoing: OutgoingRequest, redirect: Redirect = 'follow'): Promise<FetchResult> {
    return this.#future((settle) => {
      const abort = new AbortController()
      void this.#context.egress
        .fetch({ ...outgoing, redirect }, abort.signal)
        .then((result) => settle(typeof result === 'string' ? { tag: 'err', val: result } : { tag: 'ok', val: result }))
      return { [Symbol.dispose]: () => abort.abort() }
    })
  }

  #cancelled(): Promise<number> {
    return this.#future((settle) => {
      this.#cancelListeners.push(() => settle(1))
      return undefined
    })
  }

  #future<T>(start: (settle: (value: T) => void) => Disposable | undefined): Promise<T> {
    this.futuresMade++
    return this.futures.make(start)
  }
}

class FunctionInstance implements GuestInstance {
  readonly #handle: Handle
  readonly #host: FunctionHost
  readonly #context: GuestContext
  readonly #image: Image | undefined
  #broken = false

  constructor(handle: Handle, host: FunctionHost, context: GuestContext & { readonly image?: Image }) {
    this.#handle = handle
    this.#host = host
    this.#context = context
    this.#image = context.image
  }

  async run(call: Call): Promise<void> {
    const body = await call.body.readAll(MAX_BODY_BYTES)
    if (call.cancelled) return call.stopped()
    if (body === undefined) {
      return call.fail({ type: 'RequestTooLarge', message: `a request body has at most ${MAX_BODY_BYTES} bytes` })
    }
    const stopped = Promise.withResolvers<void>()
    this.#host.begin(call, () => {
      this.#broken = true
      stopped.resolve()
    })
    call.onStop = () => this.#stop(call, stopped.resolve)
    await Promise.race([this.#handleCall(call, body), stopped.promise])
    call.onStop = undefined
    this.#host.call = undefined
  }

  get settled(): boolean {
    return this.#host.settled
  }

  recycle(): boolean {
    if (this.#broken || this.#host.futuresMade > MAX_FUTURES || !this.#host.cores.atRest) return false
    // The guest does not wait for what is left, so that nothing of it is written into the memory of the next call.
    this.#host.futures.poison()
    return this.#image === undefined || this.#image.restore()
  }

  abandon(): void {
    this.#broken = true
    this.#host.futures.poison()
    this.#host.wasi.waits.abandon()
  }

  async #handleCall(call: Call, body: Uint8Array): Promise<void> {
    const { id, method, target, origin, headers, attempt, deadline } = call.head
    const request = {
      call: call.number,
      method,
      url: origin + target,
      headers,
      body,
      invocation: id,
      attempt,
      deadline,
    }
    try {
      const response = await this.#handle(request)
      if (call.cancelled) return call.stopped()
      if (response.status === 0) call.done()
      else call.respond(response.status, response.headers, response.body, true)
    } catch (thrown) {
      if (call.cancelled) return call.stopped()
      this.#fail(call, thrown)
    }
  }

  #fail(call: Call, thrown: unknown): void {
    const failure = failureOf(thrown)
    const memory = { bytes: this.#host.cores.memoryBytes, limitMiB: this.#context.spec.memoryMiB }
    // What the guest returns as its failure leaves the instance whole; an exception does not.
    if (thrown instanceof Error && !('payload' in thrown)) this.#broken = true
    const end = endOf(thrown, failure, memory)
    if (end === undefined) return call.fail(failure)
    this.#broken = true
    call.end(end)
  }

  /** The guest is not running now, or this would not run: when it does not stop by itself, it never goes on. */
  #stop(call: Call, onStopped: () => void): void {
    const giveUp = (): void => {
      // It has stopped by itself, and the instance may be at work for another call.
      if (call.onStop === undefined) return
      this.#broken = true
      call.stopped()
      onStopped()
    }
    if (this.#host.cancel()) systemClock.after(CANCEL_GRACE_MS, giveUp)
    else giveUp()
  }
}
