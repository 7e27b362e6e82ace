// WritableStream of the Streams standard.
import { checkedMark, type QueuingStrategy } from './readable-stream.ts'

export interface UnderlyingSink<T> {
  start?(controller: WritableStreamDefaultController<T>): unknown
  write?(chunk: T, controller: WritableStreamDefaultController<T>): unknown
  close?(): unknown
  abort?(reason: unknown): unknown
}

interface Waiting<T> {
  /** Absent: the request to close. */
  readonly chunk?: { readonly value: T; readonly size: number }
  readonly settled: PromiseWithResolvers<void>
}

class Core<T> {
  state: 'writable' | 'closing' | 'closed' | 'errored' = 'writable'
  error: unknown
  writer: WritableStreamDefaultWriter<T> | undefined
  readonly #sink: UnderlyingSink<T>
  readonly #controller: WritableStreamDefaultController<T>
  readonly #highWaterMark: number
  readonly #size: (chunk: T) => number
  readonly #queue: Waiting<T>[] = []
  #queued = 0
  #busy = true

  constructor(sink: UnderlyingSink<T>, strategy: QueuingStrategy<T>) {
    this.#sink = sink
    this.#highWaterMark = checkedMark(strategy.highWaterMark, 1)
    this.#size = strategy.size === undefined ? () => 1 : (chunk) => strategy.size?.(chunk) ?? 1
    this.#controller = new WritableStreamDefaultController(this)
  }

  start(): void {
    const started = this.#sink.start?.(this.#controller)
    Promise.resolve(started).then(
      () => {
        this.#busy = false
        this.#next()
      },
      (reason) => this.fail(reason),
    )
  }

  get desiredSize(): number | null {
    if (this.state === 'errored') return null
    return this.state === 'closed' ? 0 : this.#highWaterMark - this.#queued
  }

  write(value: T): Promise<void> {
    if (this.state === 'errored') return Promise.reject(this.error)
    if (this.state !== 'writable') return Promise.reject(new TypeError('the stream is closed or closing'))
    return this.#push({ chunk: { value, size: this.#size(value) }, settled: Promise.withResolvers() })
  }

  close(): Promise<void> {
    if (this.state === 'errored') return Promise.reject(this.error)
    if (this.state !== 'writable') return Promise.reject(new TypeError('the stream is closed or closing already'))
    this.state = 'closing'
    return this.#push({ settled: Promise.withResolvers() })
  }

  async abort(reason: unknown): Promise<void> {
    if (this.state === 'closed' || this.state === 'errored') return
    this.fail(reason)
    await this.#sink.abort?.(reason)
  }

  fail(reason: unknown): void {
    if (this.state === 'closed' || this.state === 'errored') return
    this.state = 'errored'
    this.error = reason
    for (const { settled } of this.#queue.splice(0)) settled.reject(reason)
    this.writer?.[UPDATE]()
  }

  #push(waiting: Waiting<T>): Promise<void> {
    this.#queue.push(waiting)
    this.#queued += waiting.chunk?.size ?? 0
    this.writer?.[UPDATE]()
    this.#next()
    return waiting.settled.promise
  }

  #next(): void {
    const waiting = this.#queue[0]
    if (this.#busy || waiting === undefined) return
    this.#busy = true
    this.#run(waiting).then(
      () => {
        this.#queue.shift()
        this.#queued -= waiting.chunk?.size ?? 0
        if (waiting.chunk === undefined) this.state = 'closed'
        waiting.settled.resolve()
        this.#busy = false
        this.writer?.[UPDATE]()
        this.#next()
      },
      (reason) => this.fail(reason),
    )
  }

  async #run({ chunk }: Waiting<T>): Promise<void> {
    if (chunk === undefined) await this.#sink.close?.()
    else await this.#sink.write?.(chunk.value, this.#controller)
    if (this.state === 'errored') throw this.error
  }
}

const UPDATE = Symbol('update')
const coreOf = Symbol('core')

export class WritableStreamDefaultController<T> {
  readonly #core: Core<T>

  constructor(core: Core<T>) {
    this.#core = core
  }

  error(reason?: unknown): void {
    this.#core.fail(reason)
  }
}

export class WritableStreamDefaultWriter<T> {
  #core: Core<T> | undefined
  #closed = quiet()
  #ready = quiet()

  constructor(stream: WritableStream<T>) {
    const core = stream[coreOf]
    if (core.writer !== undefined) throw new TypeError('the stream is locked to a writer already')
    core.writer = this
    this.#core = core
    this[UPDATE]()
  }

  get closed(): Promise<void> {
    return this.#closed.promise
  }

  /** Fulfilled when the stream wants more. */
  get ready(): Promise<void> {
    return this.#ready.promise
  }

  get desiredSize(): number | null {
    if (this.#core === undefined) throw released()
    return this.#core.desiredSize
  }

  write(chunk: T): Promise<void> {
    return this.#core === undefined ? Promise.reject(released()) : this.#core.write(chunk)
  }

  close(): Promise<void> {
    return this.#core === undefined ? Promise.reject(released()) : this.#core.close()
  }

  abort(reason?: unknown): Promise<void> {
    return this.#core === undefined ? Promise.reject(released()) : this.#core.abort(reason)
  }

  releaseLock(): void {
    if (this.#core === undefined) return
    this.#core.writer = undefined
    this.#core = undefined
    this.#fail(released())
  }

  [UPDATE](): void {
    const core = this.#core
    if (core === undefined) return
    if (core.state === 'errored') this.#fail(core.error)
    else if (core.state !== 'writable' || (core.desiredSize ?? 0) > 0) this.#ready.resolve()
    else if (this.#ready.done) this.#ready = quiet()
    if (core.state === 'closed') this.#closed.resolve()
  }

  #fail(reason: unknown): void {
    if (this.#ready.done) this.#ready = quiet()
    if (this.#closed.done) this.#closed = quiet()
    this.#ready.reject(reason)
    this.#closed.reject(reason)
  }
}

interface Quiet {
  readonly promise: Promise<void>
  readonly resolve: () => void
  readonly reject: (reason: unknown) => void
  readonly done: boolean
}

/** A promise whose rejection nobody has to look at. */
function quiet(): Quiet {
  const { promise, resolve, reject } = Promise.withResolvers<void>()
  promise.catch(() => {})
  let done = false
  return {
    promise,
    resolve() {
      done = true
      resolve()
    },
    reject(reason) {
      done = true
      reject(reason)
    },
    get done() {
      return done
    },
  }
}

export class WritableStream<T = unknown> {
  readonly [coreOf]: Core<T>

  constructor(sink: UnderlyingSink<T> | null = {}, strategy: QueuingStrategy<T> = {}) {
    this[coreOf] = new Core(sink ?? {}, strategy)
    this[coreOf].start()
  }

  get locked(): boolean {
    return this[coreOf].writer !== undefined
  }

  getWriter(): WritableStreamDefaultWriter<T> {
    return new WritableStreamDefaultWriter(this)
  }

  close(): Promise<void> {
    if (this.locked) return Promise.reject(new TypeError('a locked stream is closed by its writer'))
    return this[coreOf].close()
  }

  abort(reason?: unknown): Promise<void> {
    if (this.locked) return Promise.reject(new TypeError('a locked stream is aborted by its writer'))
    return this[coreOf].abort(reason)
  }

  get [Symbol.toStringTag](): string {
    return 'WritableStream'
  }
}

function released(): TypeError {
  return new TypeError('the writer was released')
}
