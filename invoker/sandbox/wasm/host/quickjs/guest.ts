// Functions on QuickJS: instances of the component that the builder makes, run without jco's glue. Our world is known
// when this is written (runtimes/js/wit/function.wit), so that a call needs no promise, and a start no generated code.
// Where the cores come together is in link.ts, what the guest can do in host-functions.ts.
import { systemClock } from '#core/clock'

import { MAX_BODY_BYTES } from '../../control.ts'
import type { Call } from '../call.ts'
import type { Cores } from '../cores.ts'
import type { Guest, GuestContext, GuestInstance } from '../guest.ts'
import { Image } from '../image.ts'
import { endOf, failureOf } from '../thrown.ts'
import { GuestMemory, type Headers } from '../guest-memory.ts'
import { failureAt, type HostContext, hostFunctions } from './host-functions.ts'
import { link, type Linked } from './link.ts'
import { Waitables } from './waitables.ts'
import { type CoreImports, wasiFunctions } from './wasi-functions.ts'

/** What a cancelled guest may still do, ms, when it asked to be told. */
const CANCEL_GRACE_MS = 50
/** An instance is thrown away when it holds more than so many futures: the code of a function may forget them. */
const MAX_FUTURES = 1_000
/** What a guest answers when it gives the thread back: one of these, and a set of waitables above it. */
const Code = { exit: 0, yield: 1, wait: 2 } as const
const CODE_BITS = 4
const Event = { none: 0, futureRead: 4 } as const
const RESULT_OK = 0

/** What the world calls `request`. */
interface IncomingRequest {
  readonly call: number
  readonly method: string
  readonly url: string
  readonly headers: Headers
  readonly body: Uint8Array
  readonly invocation: string
  readonly attempt: number
  readonly deadline: number
}

/** What the world calls `failure`. */
interface Thrown {
  readonly name: string
  readonly message: string
  readonly stack: string
}

interface Response {
  readonly status: number
  readonly headers: Headers
  readonly body: Uint8Array
}

/** A request as the guest sees it. No call has the number 0: see WasmManifest.rehearses. */
const REHEARSAL: IncomingRequest = {
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

export class QuickJsGuest implements Guest {
  readonly #context: GuestContext
  /** Of the last instance, to share what is equal in the next. */
  #image: Image | undefined

  constructor(context: GuestContext) {
    this.#context = context
  }

  instantiate(): QuickJsInstance {
    const instance = new QuickJsInstance(this.#context)
    if (this.#context.policy === 'reset') this.#image = instance.takeImage(this.#image)
    return instance
  }
}

export class QuickJsInstance implements GuestInstance, HostContext {
  /** Set while the cores are linked. */
  memory!: GuestMemory
  readonly waitables = new Waitables((set) => this.#onReady(set))
  readonly #linked: Linked
  readonly #context: GuestContext
  readonly #cancelListeners: (() => void)[] = []
  call: Call | undefined
  #image: Image | undefined
  #response: Response | Thrown | undefined
  /** Of the task: what the guest keeps there is nothing to us. */
  #slot = 0
  /** The set that the guest waits for; 0 while it runs or has ended. */
  #waitsFor = 0
  #onEnded: (() => void) | undefined
  #broken = false

  constructor(context: GuestContext) {
    this.#context = context
    this.#linked = link(context.modules, (memory) => this.#imports(memory))
  }

  get cores(): Cores {
    return this.#linked.cores
  }

  get env(): Readonly<Record<string, string>> {
    return this.#context.spec.env
  }

  get egress(): GuestContext['egress'] {
    return this.#context.egress
  }

  /** @param like of another instance */
  takeImage(like: Image | undefined): Image {
    if (this.#context.manifest.rehearses === true) this.#rehearse()
    this.#image = new Image(this.#linked.cores, like)
    return this.#image
  }

  run(call: Call): Promise<void> | undefined {
    const body = call.body.takeWhole()
    return body === undefined ? this.#runLater(call) : this.#start(call, body)
  }

  recycle(): boolean {
    const { waitables } = this
    if (this.#broken || !waitables.atRest || waitables.size > MAX_FUTURES) return false
    waitables.cancelAll()
    if (this.#image === undefined) return true
    waitables.forget()
    return this.#image.restore()
  }

  abandon(): void {
    this.#broken = true
    this.waitables.cancelAll()
  }

  onCancel(listener: () => void): void {
    this.#cancelListeners.push(listener)
  }

  uncaught(failure: Thrown): boolean {
    const { call } = this
    if (call === undefined || call.answered || this.#response !== undefined) return false
    call.fail(failureOf(failure))
    this.#broken = true
    return true
  }

  async #runLater(call: Call): Promise<void> {
    const body = await call.body.readAll(MAX_BODY_BYTES)
    if (call.cancelled) return call.stopped()
    if (body === undefined) {
      return call.fail({ type: 'RequestTooLarge', message: `a request body has at most ${MAX_BODY_BYTES} bytes` })
    }
    await this.#start(call, body)
  }

  #start(call: Call, body: Uint8Array): Promise<void> | undefined {
    if (call.cancelled) {
      call.stopped()
      return undefined
    }
    const { id, method, target, origin, headers, attempt, deadline } = call.head
    this.call = call
    const url = origin + target
    this.#enter({ call: call.number, method, url, headers, body, invocation: id, attempt, deadline })
    if (this.call === undefined) return undefined
    call.onStop = () => this.#stop(call)
    return new Promise((resolve) => {
      this.#onEnded = resolve
    })
  }

  #rehearse(): void {
    this.#enter(REHEARSAL)
    if (!this.waitables.atRest || this.#broken) throw new Error('the rehearsal of a function did not end')
    this.waitables.forget()
  }

  #enter(request: IncomingRequest): void {
    this.#response = undefined
    this.#slot = 0
    this.#cancelListeners.length = 0
    this.#run(() => this.#lower(request))
  }

  /** Calls the export with the fields of the request as the canonical ABI flattens them. */
  #lower({ call, method, url, headers, body, invocation, attempt, deadline }: IncomingRequest): number {
    const { memory } = this
    const methodAt = memory.allocateText(method)
    const methodBytes = memory.length
    const urlAt = memory.allocateText(url)
    const urlBytes = memory.length
    const headersAt = memory.allocatePairs(headers)
    const headerCount = memory.length
    const bodyAt = memory.allocateBytes(body)
    const bodyBytes = memory.length
    const idAt = memory.allocateText(invocation)
    const idBytes = memory.length
    return this.#linked.handle(
      call,
      methodAt,
      methodBytes,
      urlAt,
      urlBytes,
      headersAt,
      headerCount,
      bodyAt,
      bodyBytes,
      idAt,
      idBytes,
      attempt,
      deadline,
    )
  }

  /** Lets the guest run until it waits or has ended. */
  #run(step: () => number): void {
    this.#waitsFor = 0
    try {
      let answer = step()
      for (;;) {
        // An error that nobody caught has ended the call: the guest does not go on.
        if (this.#broken) return this.#end()
        const code = answer & ((1 << CODE_BITS) - 1)
        if (code === Code.exit) return this.#exit()
        if (code === Code.yield) return this.#goOnLater()
        if (code !== Code.wait) throw new WebAssembly.RuntimeError('unknown callback code')
        // It waits although it has answered: it is not fit for another call.
        if (this.#response !== undefined) return this.#exit()
        const set = answer >>> CODE_BITS
        const future = this.waitables.take(set)
        if (future < 0) throw new Error('exited without resolution')
        if (future === 0) {
          this.#waitsFor = set
          return undefined
        }
        answer = this.#linked.callback(Event.futureRead, future, 0)
      }
    } catch (thrown) {
      this.#fail(thrown)
    }
  }

  #onReady(set: number): void {
    if (this.#broken || this.#waitsFor !== set) return
    this.#run(() => this.#linked.callback(Event.futureRead, this.waitables.take(set), 0))
  }

  #goOnLater(): void {
    setImmediate(() => {
      if (!this.#broken) this.#run(() => this.#linked.callback(Event.none, 0, 0))
    })
  }

  #exit(): void {
    const { call } = this
    const response = this.#response
    if (response === undefined) return this.#fail(new Error('exited without resolution'))
    if (call?.cancelled === true) call.stopped()
    else if (!('status' in response)) this.#fail(response)
    else if (response.status === 0) call?.done()
    else call?.respond(response.status, response.headers, response.body, true)
    this.#end()
  }

  #fail(thrown: unknown): void {
    const { call } = this
    // What the guest returns as its failure leaves the instance whole; an exception does not.
    if (thrown instanceof Error) this.#broken = true
    if (call === undefined) {
      if (this.#broken) throw thrown
      return
    }
    const failure = failureOf(thrown)
    const memory = { bytes: this.#linked.cores.memoryBytes, limitMiB: this.#context.spec.memoryMiB }
    const end = endOf(thrown, failure, memory)
    if (end !== undefined) this.#broken = true
    if (call.cancelled) call.stopped()
    else if (end === undefined) call.fail(failure)
    else call.end(end)
    this.#end()
  }

  #end(): void {
    if (this.call !== undefined) this.call.onStop = undefined
    this.call = undefined
    this.#onEnded?.()
    this.#onEnded = undefined
  }

  /** The guest is not running now, or this would not run: when it does not stop by itself, it never goes on. */
  #stop(call: Call): void {
    const giveUp = (): void => {
      // It has stopped by itself, and the instance may be at work for another call.
      if (this.call !== call || call.onStop === undefined) return
      this.#broken = true
      call.stopped()
      this.#end()
    }
    for (const listener of this.#cancelListeners) listener()
    if (this.#cancelListeners.length > 0) systemClock.after(CANCEL_GRACE_MS, giveUp)
    else giveUp()
  }

  #imports(memory: GuestMemory): CoreImports {
    this.memory = memory
    const { waitables } = this
    const own: CoreImports = {
      $root: {
        '[context-get-0]': () => this.#slot,
        '[context-set-0]': (value: number) => {
          this.#slot = value
        },
        '[waitable-set-new]': () => waitables.newSet(),
        '[waitable-set-drop]': (set: number) => waitables.dropSet(set),
        '[waitable-join]': (handle: number, set: number) => waitables.join(handle, set),
      },
      '[export]$root': { '[task-return]handle': (...values: number[]) => this.#return(values) },
    }
    return { ...own, ...hostFunctions(this), ...wasiFunctions(memory, (stream, text) => this.call?.log(stream, text)) }
  }

  /** @param values result<response, failure> as the canonical ABI flattens it */
  #return([tag, ...values]: readonly number[]): void {
    if (this.#response !== undefined) throw new WebAssembly.RuntimeError('a task returns once')
    if (tag !== RESULT_OK) {
      this.#response = failureAt(this.memory, values)
      return
    }
    const [status = 0, headers = 0, headerCount = 0, body = 0, bodyBytes = 0, text = 0, textBytes = 0] = values
    this.#response = {
      status: status & 0xffff,
      headers: this.memory.pairs(headers, headerCount),
      body: textBytes === 0 ? this.memory.bytes(body, bodyBytes) : this.memory.bytes(text, textBytes),
    }
  }
}
