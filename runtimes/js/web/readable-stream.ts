// ReadableStream of the Streams standard, default readers only: byte streams are read like any other.
import { pump, teed, type PipeOptions } from './stream-pipes.ts'
import type { WritableStream } from './writable-stream.ts'

export interface UnderlyingSource<T> {
  start?(controller: ReadableStreamDefaultController<T>): unknown
  pull?(controller: ReadableStreamDefaultController<T>): unknown
  cancel?(reason: unknown): unknown
  type?: 'bytes' | undefined
}

export interface QueuingStrategy<T> {
  readonly highWaterMark?: number
  size?(chunk: T): number
}

export type ReadResult<T> =
  | { readonly done: false; readonly value: T }
  | { readonly done: true; readonly value: undefined }

/** What a stream, its controller and its reader share. */
class Core<T> {
  state: 'readable' | 'closed' | 'errored' = 'readable'
  error: unknown
  /** Something was read from it, or it was cancelled. */
  disturbed = false
  reader: ReadableStreamDefaultReader<T> | undefined
  readonly waiting: PromiseWithResolvers<ReadResult<T>>[] = []
  readonly #source: UnderlyingSource<T>
  readonly #controller: ReadableStreamDefaultController<T>
  readonly #highWaterMark: number
  readonly #size: (chunk: T) => number
  #queue: { readonly chunk: T; readonly size: number }[] = []
  #queued = 0
  #closing = false
  #started = false
  #pulling = false
  #pullAgain = false

  constructor(source: UnderlyingSource<T>, strategy: QueuingStrategy<T>) {
    this.#source = source
    this.#highWaterMark = checkedMark(strategy.highWaterMark, source.type === 'bytes' ? 0 : 1)
    this.#size = strategy.size === undefined ? () => 1 : (chunk) => strategy.size?.(chunk) ?? 1
    this.#controller = new ReadableStreamDefaultController(this)
  }

  start(): void {
    const started = this.#source.start?.(this.#controller)
    Promise.resolve(started).then(
      () => {
        this.#started = true
        this.pullIfNeeded()
      },
      (reason) => this.fail(reason),
    )
  }

  get desiredSize(): number | null {
    if (this.state === 'errored') return null
    return this.state === 'closed' ? 0 : this.#highWaterMark - this.#queued
  }

  get takesMore(): boolean {
    return this.state === 'readable' && !this.#closing
  }

  read(): Promise<ReadResult<T>> {
    this.disturbed = true
    if (this.state === 'errored') return Promise.reject(this.error)
    const item = this.#queue.shift()
    if (item === undefined) {
      if (this.state === 'closed') return Promise.resolve({ done: true, value: undefined })
      const waiting = Promise.withResolvers<ReadResult<T>>()
      this.waiting.push(waiting)
      this.pullIfNeeded()
      return waiting.promise
    }
    this.#queued -= item.size
    if (this.#closing && this.#queue.length === 0) this.#finish()
    else this.pullIfNeeded()
    return Promise.resolve({ done: false, value: item.chunk })
  }

  enqueue(chunk: T): void {
    if (!this.takesMore) throw new TypeError('the stream takes no more chunks: it is closed or errored')
    const waiting = this.waiting.shift()
    if (waiting === undefined) {
      let size
      try {
        size = this.#size(chunk)
      } catch (thrown) {
        this.fail(thrown)
        throw thrown
      }
      this.#queue.push({ chunk, size })
      this.#queued += size
    } else {
      waiting.resolve({ done: false, value: chunk })
    }
    this.pullIfNeeded()
  }

  close(): void {
    if (!this.takesMore) throw new TypeError('the stream is closed or errored already')
    this.#closing = true
    if (this.#queue.length === 0) this.#finish()
  }

  fail(reason: unknown): void {
    if (this.state !== 'readable') return
    this.state = 'errored'
    this.error = reason
    this.#queue = []
    for (const waiting of this.waiting.splice(0)) waiting.reject(reason)
    this.reader?.[SETTLE]()
  }

  async cancel(reason: unknown): Promise<void> {
    this.disturbed = true
    if (this.state === 'closed') return
    if (this.state === 'errored') throw this.error
    this.#queue = []
    this.#finish()
    await this.#source.cancel?.(reason)
  }

  /** Whether someone waits for a chunk, or there is room for one. */
  get wantsChunk(): boolean {
    return this.takesMore && (this.waiting.length > 0 || (this.desiredSize ?? 0) > 0)
  }

  pullIfNeeded(): void {
    if (!this.#started || !this.wantsChunk || this.#source.pull === undefined) return
    if (this.#pulling) {
      this.#pullAgain = true
      return
    }
    this.#pulling = true
    new Promise((resolve) => resolve(this.#source.pull?.(this.#controller))).then(
      () => {
        this.#pulling = false
        if (!this.#pullAgain) return
        this.#pullAgain = false
        this.pullIfNeeded()
      },
      (reason) => this.fail(reason),
    )
  }

  #finish(): void {
    this.state = 'closed'
    for (const waiting of this.waiting.splice(0)) waiting.resolve({ done: true, value: undefined })
    this.reader?.[SETTLE]()
  }
}

const SETTLE = Symbol('settle')
const coreOf = Symbol('core')

export let wantsChunk: <T>(controller: ReadableStreamDefaultController<T>) => boolean
/** Neither closed nor errored. */
export let isOpen: <T>(controller: ReadableStreamDefaultController<T>) => boolean

export class ReadableStreamDefaultController<T> {
  static {
    wantsChunk = (controller) => controller.#core.wantsChunk
    isOpen = (controller) => controller.#core.takesMore
  }

  readonly #core: Core<T>

  constructor(core: Core<T>) {
    this.#core = core
  }

  get desiredSize(): number | null {
    return this.#core.desiredSize
  }

  get byobRequest(): null {
    return null
  }

  enqueue(chunk: T): void {
    this.#core.enqueue(chunk)
  }

  close(): void {
    this.#core.close()
  }

  error(reason?: unknown): void {
    this.#core.fail(reason)
  }
}

export class ReadableStreamDefaultReader<T> {
  #core: Core<T> | undefined
  #closed = Promise.withResolvers<undefined>()

  constructor(stream: ReadableStream<T>) {
    const core = stream[coreOf]
    if (core.reader !== undefined) throw new TypeError('the stream is locked to a reader already')
    core.reader = this
    this.#core = core
    this.#closed.promise.catch(() => {})
    if (core.state !== 'readable') this[SETTLE]()
  }

  get closed(): Promise<undefined> {
    return this.#closed.promise
  }

  read(): Promise<ReadResult<T>> {
    return this.#core === undefined ? Promise.reject(released()) : this.#core.read()
  }

  cancel(reason?: unknown): Promise<void> {
    return this.#core === undefined ? Promise.reject(released()) : this.#core.cancel(reason)
  }

  releaseLock(): void {
    const core = this.#core
    if (core === undefined) return
    this.#core = undefined
    core.reader = undefined
    for (const waiting of core.waiting.splice(0)) waiting.reject(released())
    this.#closed.reject(released())
    this.#closed = Promise.withResolvers()
    this.#closed.promise.catch(() => {})
    this.#closed.reject(released())
  }

  [SETTLE](): void {
    if (this.#core?.state === 'errored') this.#closed.reject(this.#core.error)
    else this.#closed.resolve(undefined)
  }
}

export class ReadableStream<T = unknown> {
  readonly [coreOf]: Core<T>

  constructor(source: UnderlyingSource<T> | null = {}, strategy: QueuingStrategy<T> = {}) {
    this[coreOf] = new Core(source ?? {}, strategy)
    this[coreOf].start()
  }

  static from<T>(source: AsyncIterable<T> | Iterable<T>): ReadableStream<T> {
    const iterable = source as Partial<AsyncIterable<T> & Iterable<T>>
    const iterator = iterable[Symbol.asyncIterator]?.() ?? iterable[Symbol.iterator]?.()
    if (iterator === undefined) throw new TypeError('ReadableStream.from: expected an iterable')
    return new ReadableStream<T>(
      {
        async pull(controller) {
          const { done, value } = await iterator.next()
          if (done === true) controller.close()
          else controller.enqueue(await value)
        },
        async cancel(reason) {
          await iterator.return?.(reason)
        },
      },
      { highWaterMark: 0 },
    )
  }

  get locked(): boolean {
    return this[coreOf].reader !== undefined
  }

  getReader(options?: { mode?: 'byob' }): ReadableStreamDefaultReader<T> {
    if (options?.mode !== undefined) throw new TypeError('only default readers are supported: received mode "byob"')
    return new ReadableStreamDefaultReader(this)
  }

  cancel(reason?: unknown): Promise<void> {
    if (this.locked) return Promise.reject(new TypeError('a locked stream cannot be cancelled'))
    return this[coreOf].cancel(reason)
  }

  tee(): [ReadableStream<T>, ReadableStream<T>] {
    return teed(this.getReader(), (source) => new ReadableStream(source))
  }

  async pipeTo(destination: WritableStream<T>, options: PipeOptions = {}): Promise<void> {
    await pump(this.getReader(), destination, options)
  }

  pipeThrough<R>(
    pair: { writable: WritableStream<T>; readable: ReadableStream<R> },
    options?: PipeOptions,
  ): ReadableStream<R> {
    this.pipeTo(pair.writable, options).catch(() => {})
    return pair.readable
  }

  async *values({ preventCancel = false }: { preventCancel?: boolean } = {}): AsyncGenerator<T, undefined> {
    const reader = this.getReader()
    let finished = false
    try {
      for (;;) {
        const { done, value } = await reader.read()
        if (done) {
          finished = true
          return undefined
        }
        yield value
      }
    } catch (thrown) {
      finished = true
      throw thrown
    } finally {
      if (!finished && !preventCancel) await reader.cancel()
      reader.releaseLock()
    }
  }

  [Symbol.asyncIterator](options?: { preventCancel?: boolean }): AsyncGenerator<T, undefined> {
    return this.values(options)
  }

  get [Symbol.toStringTag](): string {
    return 'ReadableStream'
  }
}

/** Whether everything that the stream gives is still in it. */
export function isUntouched(stream: ReadableStream<never> | ReadableStream<Uint8Array>): boolean {
  return !stream.locked && !stream[coreOf].disturbed
}

export function checkedMark(mark: number | undefined, fallback: number): number {
  const value = mark === undefined ? fallback : Number(mark)
  if (Number.isNaN(value) || value < 0) throw new RangeError(`highWaterMark must be at least 0: received ${mark}`)
  return value
}

function released(): TypeError {
  return new TypeError('the reader was released')
}
