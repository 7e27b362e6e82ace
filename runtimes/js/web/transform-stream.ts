// TransformStream, the text streams and the queuing strategies of the Streams and Encoding standards.
import { bytesOf, encodeUtf8, TextDecoder, type BufferSource } from './encoding.ts'
import {
  isOpen,
  ReadableStream,
  wantsChunk,
  type QueuingStrategy,
  type ReadableStreamDefaultController,
} from './readable-stream.ts'
import { WritableStream, type UnderlyingSink } from './writable-stream.ts'

export interface Transformer<I, O> {
  start?(controller: TransformStreamDefaultController<O>): unknown
  transform?(chunk: I, controller: TransformStreamDefaultController<O>): unknown
  flush?(controller: TransformStreamDefaultController<O>): unknown
  cancel?(reason: unknown): unknown
}

/** What the two sides of a transform stream share. */
class Link<O> {
  readable!: ReadableStreamDefaultController<O>
  writable: { error(reason: unknown): void } | undefined
  #wanted = Promise.withResolvers<void>()

  /** The readable side asks for a chunk, or nobody will any more. */
  open(): void {
    this.#wanted.resolve()
  }

  /** Resolves when the readable side has asked for what it has not got yet. */
  get wanted(): Promise<void> {
    return this.#wanted.promise
  }

  enqueue(chunk: O): void {
    this.readable.enqueue(chunk)
    // Only a chunk satisfies: a step that gave none may go on with the next at once.
    if (!wantsChunk(this.readable)) this.#wanted = Promise.withResolvers()
  }

  failWriting(reason: unknown): void {
    this.writable?.error(reason)
    this.open()
  }

  /** What a step throws ends both sides. */
  async run(step: () => unknown): Promise<void> {
    try {
      await step()
    } catch (thrown) {
      this.readable.error(thrown)
      throw thrown
    }
  }
}

export class TransformStreamDefaultController<O> {
  readonly #link: Link<O>

  constructor(link: Link<O>) {
    this.#link = link
  }

  get desiredSize(): number | null {
    return this.#link.readable.desiredSize
  }

  enqueue(chunk: O): void {
    this.#link.enqueue(chunk)
  }

  error(reason?: unknown): void {
    this.#link.readable.error(reason)
    this.#link.failWriting(reason)
  }

  terminate(): void {
    this.#link.readable.close()
    this.#link.failWriting(new TypeError('the transform stream was terminated'))
  }
}

export class TransformStream<I = unknown, O = unknown> {
  readonly readable: ReadableStream<O>
  readonly writable: WritableStream<I>

  constructor(
    transformer: Transformer<I, O> | null = {},
    writableStrategy: QueuingStrategy<I> = {},
    readableStrategy: QueuingStrategy<O> = {},
  ) {
    const steps = transformer ?? {}
    const link = new Link<O>()
    const controller = new TransformStreamDefaultController(link)
    this.readable = new ReadableStream<O>(
      {
        start: (given) => void (link.readable = given),
        pull: () => link.open(),
        async cancel(reason) {
          link.failWriting(reason)
          await steps.cancel?.(reason)
        },
      },
      { highWaterMark: 0, ...readableStrategy },
    )
    this.writable = new WritableStream<I>(sinkOf(steps, link, controller), writableStrategy)
  }

  get [Symbol.toStringTag](): string {
    return 'TransformStream'
  }
}

function sinkOf<I, O>(
  steps: Transformer<I, O>,
  link: Link<O>,
  controller: TransformStreamDefaultController<O>,
): UnderlyingSink<I> {
  return {
    start(given) {
      link.writable = given
      return steps.start?.(controller)
    },
    async write(chunk) {
      await link.wanted
      await link.run(() =>
        steps.transform === undefined ? link.enqueue(chunk as unknown as O) : steps.transform(chunk, controller),
      )
    },
    async close() {
      await link.run(() => steps.flush?.(controller))
      // flush() may have terminated or failed it.
      if (isOpen(link.readable)) link.readable.close()
    },
    async abort(reason) {
      link.readable.error(reason)
      await steps.cancel?.(reason)
    },
  }
}

export class TextEncoderStream extends TransformStream<string, Uint8Array> {
  constructor() {
    let high = ''
    super({
      transform(chunk, controller) {
        let text = high + String(chunk)
        // Half of a surrogate pair waits for the other half.
        high = /[\ud800-\udbff]$/.exec(text)?.[0] ?? ''
        if (high !== '') text = text.slice(0, -1)
        if (text !== '') controller.enqueue(encodeUtf8(text))
      },
      flush(controller) {
        if (high !== '') controller.enqueue(encodeUtf8(high))
      },
    })
  }

  get encoding(): string {
    return 'utf-8'
  }
}

export class TextDecoderStream extends TransformStream<BufferSource, string> {
  readonly encoding: string

  constructor(label?: string, options?: { fatal?: boolean; ignoreBOM?: boolean }) {
    const decoder = new TextDecoder(label, options)
    super({
      transform(chunk, controller) {
        const text = decoder.decode(bytesOf(chunk), { stream: true })
        if (text !== '') controller.enqueue(text)
      },
      flush(controller) {
        const text = decoder.decode()
        if (text !== '') controller.enqueue(text)
      },
    })
    this.encoding = decoder.encoding
  }
}

export class CountQueuingStrategy {
  readonly highWaterMark: number

  constructor({ highWaterMark }: { highWaterMark: number }) {
    this.highWaterMark = highWaterMark
  }

  size(): number {
    return 1
  }
}

export class ByteLengthQueuingStrategy {
  readonly highWaterMark: number

  constructor({ highWaterMark }: { highWaterMark: number }) {
    this.highWaterMark = highWaterMark
  }

  size(chunk: { readonly byteLength: number }): number {
    return chunk.byteLength
  }
}
