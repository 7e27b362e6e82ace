// Guests that export wasi:http/incoming-handler@0.2.x.
import { createWasi, type Wasi } from '../wasi/imports.ts'
import type { Destination } from '../wasi/http-bodies.ts'
import { IncomingRequest, ResponseOutparam } from '../wasi/http-messages.ts'
import type { Call } from './call.ts'
import { ComponentLinker, type LinkedComponent } from './component/link.ts'
import { Cores } from './cores.ts'
import type { Guest, GuestContext, GuestInstance } from './guest.ts'
import { endOf, failureOf } from './thrown.ts'

/** Of glue. */
interface Handler {
  handle(request: object, response: object): Promise<void>
}
type ResponseResult = Parameters<typeof ResponseOutparam.set>[1]

export class HttpGuest implements Guest {
  readonly #context: GuestContext
  readonly #linker: ComponentLinker | undefined

  constructor(context: GuestContext) {
    this.#context = context
    if (context.plan !== undefined) this.#linker = new ComponentLinker(context.plan, context.modules)
  }

  instantiate(): GuestInstance | Promise<GuestInstance> {
    const instance = new HttpInstance(this.#context)
    if (this.#linker === undefined) return this.#withGlue(instance)
    instance.ready(this.#linker.link(instance.wasi.imports))
    return instance
  }

  async #withGlue(instance: HttpInstance): Promise<GuestInstance> {
    const { manifest, modules, instantiate } = this.#context
    const cores = new Cores()
    const exports = await instantiate!((name) => modules.get(name), instance.wasi.imports, cores.instantiate)
    const handler = exports[manifest.export] as Handler
    instance.ready({ cores, handle: (request, out) => handler.handle(request, out) })
    return instance
  }
}

class HttpInstance implements GuestInstance {
  readonly wasi: Wasi
  readonly #context: GuestContext
  #linked: LinkedComponent | undefined
  #call: Call | undefined
  #broken = false

  constructor(context: GuestContext) {
    this.#context = context
    this.wasi = createWasi({
      env: context.spec.env,
      egress: context.egress,
      log: (stream, text) => this.#call?.log(stream, text),
    })
  }

  ready(linked: LinkedComponent): void {
    this.#linked = linked
  }

  async run(call: Call): Promise<void> {
    this.#call = call
    // A guest that waits is stopped where it does; one that runs is not interrupted by this, nor would this run.
    call.onStop = () => this.abandon()
    try {
      const out = new ResponseOutparam((result) => this.#respond(call, result))
      await this.#linked!.handle(this.#requestOf(call), out)
      this.wasi.endLines()
      call.done()
    } catch (thrown) {
      this.wasi.endLines()
      this.#fail(call, thrown)
    }
    call.onStop = undefined
    this.#call = undefined
  }

  recycle(): boolean {
    return !this.#broken
  }

  abandon(): void {
    this.#broken = true
    this.wasi.waits.abandon()
  }

  #requestOf({ head, body }: Call): IncomingRequest {
    const { waits } = this.wasi
    return new IncomingRequest({
      ...head,
      body: {
        get ready() {
          return body.ready
        },
        whenReady: () => waits.until(body.whenReady()),
        take: (most) => body.take(most),
      },
    })
  }

  #respond(call: Call, result: ResponseResult): void {
    if (result.tag === 'err') {
      const { tag, val } = result.val
      const message = typeof val === 'string' ? `${tag}: ${val}` : tag
      return call.fail({ type: 'ErrorCode', message: `the component answered with the error ${message}` })
    }
    const response = result.val
    call.giveHead(response.statusCode(), response.headers().pairs())
    const destination: Destination = {
      write: (bytes) => {
        const drained = call.giveChunk(bytes)
        if (drained !== undefined) return this.wasi.waits.until(drained)
        // What was written leaves the worker before the guest goes on.
        call.flush()
        return undefined
      },
      end: () => call.giveEnd(),
    }
    response.sendBodyTo(destination)
  }

  #fail(call: Call, thrown: unknown): void {
    this.#broken = true
    if (call.cancelled) return call.stopped()
    const memory = { bytes: this.#linked!.cores.memoryBytes, limitMiB: this.#context.spec.memoryMiB }
    const failure = failureOf(thrown)
    const end = endOf(thrown, failure, memory)
    if (end === undefined) call.fail(failure)
    else call.end(end)
  }
}
