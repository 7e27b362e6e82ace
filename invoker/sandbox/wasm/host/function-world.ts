// Guests with jco's glue that export `handle` of runtimes/js/starlingmonkey/wit/function.wit. Those on QuickJS run without
// glue: quickjs/guest.ts.
import { MAX_BODY_BYTES } from '../control.ts'
import { createWasi, type Wasi } from '../wasi/imports.ts'
import type { Call } from './call.ts'
import { Cores } from './cores.ts'
import type { Guest, GuestContext, GuestInstance } from './guest.ts'
import { endOf, failureOf } from './thrown.ts'

type Headers = [string, string][]

interface Response {
  readonly status: number
  readonly headers: Headers
  readonly body: Uint8Array
}
type Handle = (request: object) => Promise<Response>

export class FunctionGuest implements Guest {
  readonly #context: GuestContext

  constructor(context: GuestContext) {
    this.#context = context
  }

  async instantiate(): Promise<GuestInstance> {
    const { manifest, modules, instantiate } = this.#context
    const instance = new FunctionInstance(this.#context)
    const exports = await instantiate!((name) => modules.get(name), instance.imports(), instance.cores.instantiate)
    instance.ready(exports[manifest.export] as Handle)
    return instance
  }
}

class FunctionInstance implements GuestInstance {
  readonly cores = new Cores()
  readonly #wasi: Wasi
  readonly #context: GuestContext
  #handle: Handle | undefined
  #call: Call | undefined
  #broken = false

  constructor(context: GuestContext) {
    this.#context = context
    this.#wasi = createWasi({
      env: context.spec.env,
      egress: context.egress,
      log: (stream, text) => this.#call?.log(stream, text),
    })
  }

  imports(): Record<string, object> {
    const host = {
      environment: () => Object.entries(this.#context.spec.env),
      emitHead: (_call: number, status: number, headers: Headers) => this.#call?.giveHead(status, headers),
      emitChunk: (_call: number, bytes: Uint8Array) => void this.#call?.giveChunk(bytes),
      emitEnd: () => this.#call?.giveEnd(),
    }
    return { 'hearth:js/host': host, ...this.#wasi.imports }
  }

  ready(handle: Handle): void {
    this.#handle = handle
  }

  async run(call: Call): Promise<void> {
    const body = await call.body.readAll(MAX_BODY_BYTES)
    if (call.cancelled) return call.stopped()
    if (body === undefined) {
      return call.fail({ type: 'RequestTooLarge', message: `a request body has at most ${MAX_BODY_BYTES} bytes` })
    }
    const stopped = Promise.withResolvers<void>()
    this.#call = call
    // The guest is not running now, or this would not run: it never goes on.
    call.onStop = () => {
      this.#broken = true
      call.stopped()
      stopped.resolve()
    }
    await Promise.race([this.#handleCall(call, body), stopped.promise])
    call.onStop = undefined
    this.#call = undefined
  }

  recycle(): boolean {
    return !this.#broken
  }

  abandon(): void {
    this.#broken = true
    this.#wasi.waits.abandon()
  }

  async #handleCall(call: Call, body: Uint8Array): Promise<void> {
    const { id, method, target, origin, headers, attempt, deadline } = call.head
    const url = origin + target
    const request = { call: call.number, method, url, headers, body, invocation: id, attempt, deadline }
    try {
      const response = await this.#handle!(request)
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
    const memory = { bytes: this.cores.memoryBytes, limitMiB: this.#context.spec.memoryMiB }
    // What the guest returns as its failure leaves the instance whole; an exception does not.
    if (thrown instanceof Error && !('payload' in thrown)) this.#broken = true
    const end = endOf(thrown, failure, memory)
    if (end === undefined) return call.fail(failure)
    this.#broken = true
    call.end(end)
  }
}
