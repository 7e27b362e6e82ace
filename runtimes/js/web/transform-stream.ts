// TransformStream, the text streams and the queuing strategies of the Streams and Encoding standards.
import { bytesOf, encodeUtf8, TextDecoder, type BufferSource } from './encoding.ts'
import { ReadableStream, type QueuingStrategy, type ReadableStreamDefaultController } from './readable-stream.ts'
import { WritableStream } from './writable-stream.ts'

export interface Transformer<I, O> {
  start?(controller: TransformStreamDefaultController<O>): unknown
  transform?(chunk: I, controller: TransformStreamDefaultController<O>): unknown
  flush?(controller: TransformStreamDefaultController<O>): unknown
  cancel?(reason: unknown): unknown
}

export class TransformStreamDefaultController<O> {
  readonly #readable: ReadableStreamDefaultController<O>
  readonly #endWriting: (reason: unknown) => void

  constructor(readable: ReadableStreamDefaultController<O>, endWriting: (reason: unknown) => void) {
    this.#readable = readable
    this.#endWriting = endWriting
  }

  get desiredSize(): number | null {
    return this.#readable.desiredSize
  }

  enqueue(chunk: O): void {
    this.#readable.enqueue(chunk)
  }

  error(reason?: unknown): void {
    this.#readable.error(reason)
    this.#endWriting(reason)
  }

  terminate(): void {
    this.#readable.close()
    this.#endWriting(new TypeError('the transform stream was terminated'))
  }
}

export class TransformStream<I = unknown, O = unknown> {
  readonly readable: ReadableStream<O>
  readonly writable: WritableStream<I>

  constructor(
    transformer: Transformer<I, O> | null = {},
    writableStrategy: QueuingStrategy<I> = {},
    readableStrategy: QueuingStrategy<O> = { highWaterMark: 0 },
  ) {
    const steps = transformer ?? {}
    let wanted = Promise.withResolvers<void>()
    let controller!: TransformStreamDefaultController<O>
    let source!: ReadableStreamDefaultController<O>
    let failWriting: (reason: unknown) => void = () => {}
    const cancel = async (reason: unknown): Promise<void> => {
      failWriting(reason)
      wanted.resolve()
      await steps.cancel?.(reason)
    }
    this.readable = new ReadableStream<O>(
      {
        start(given) {
          source = given
          controller = new TransformStreamDefaultController(given, (reason) => {
            failWriting(reason)
            wanted.resolve()
          })
        },
        pull: () => wanted.resolve(),
        cancel,
      },
      { highWaterMark: 0, ...readableStrategy },
    )
    this.writable = new WritableStream<I>(
      {
        start(given) {
          failWriting = (reason) => given.error(reason)
          return steps.start?.(controller)
        },
        async write(chunk) {
          // Back-pressure: a chunk is transformed when the readable side asks for one.
          if ((source.desiredSize ?? 1) <= 0) {
            await wanted.promise
            wanted = Promise.withResolvers()
          }
          await failing(source, () =>
            steps.transform === undefined ? source.enqueue(chunk as unknown as O) : steps.transform(chunk, controller),
          )
        },
        async close() {
          await failing(source, () => steps.flush?.(controller))
          if (source.desiredSize !== null) closeQuietly(source)
        },
        async abort(reason) {
          source.error(reason)
          await steps.cancel?.(reason)
        },
      },
      writableStrategy,
    )
  }

  get [Symbol.toStringTag](): string {
    return 'TransformStream'
  }
}

/** What a step throws ends both sides. */
async function failing<O>(source: ReadableStreamDefaultController<O>, step: () => unknown): Promise<void> {
  try {
    await step()
  } catch (thrown) {
    source.error(thrown)
    throw thrown
  }
}

function closeQuietly<O>(source: ReadableStreamDefaultController<O>): void {
  try {
    source.close()
  } catch {
    // flush() has terminated it.
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
