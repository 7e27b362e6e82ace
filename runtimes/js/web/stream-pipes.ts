// What connects streams: tee and pipeTo.
import type {
  ReadableStream,
  ReadableStreamDefaultController,
  ReadableStreamDefaultReader,
  UnderlyingSource,
} from './readable-stream.ts'
import type { WritableStream } from './writable-stream.ts'

export interface PipeOptions {
  readonly preventClose?: boolean
  readonly preventAbort?: boolean
  readonly preventCancel?: boolean
  readonly signal?: {
    readonly aborted: boolean
    readonly reason: unknown
    addEventListener(type: 'abort', listener: () => void): void
  }
}

/** Two streams that both give every chunk; a read of either pulls, so the slower one's queue holds what is ahead. */
export function teed<T>(
  reader: ReadableStreamDefaultReader<T>,
  makeStream: (source: UnderlyingSource<T>) => ReadableStream<T>,
): [ReadableStream<T>, ReadableStream<T>] {
  const live = new Set<ReadableStreamDefaultController<T>>()
  const reasons: unknown[] = []
  let reading: Promise<void> | undefined
  const readOnce = async (): Promise<void> => {
    try {
      const { done, value } = await reader.read()
      for (const controller of live) {
        if (done) controller.close()
        else controller.enqueue(value)
      }
    } catch (thrown) {
      for (const controller of live) controller.error(thrown)
    } finally {
      reading = undefined
    }
  }
  const branch = (): ReadableStream<T> => {
    let own: ReadableStreamDefaultController<T>
    return makeStream({
      start(controller) {
        own = controller
        live.add(controller)
      },
      pull: () => (reading ??= readOnce()),
      async cancel(reason) {
        live.delete(own)
        reasons.push(reason)
        if (reasons.length === 2) await reader.cancel(reasons)
      },
    })
  }
  return [branch(), branch()]
}

export async function pump<T>(
  reader: ReadableStreamDefaultReader<T>,
  destination: WritableStream<T>,
  { preventClose, preventAbort, preventCancel, signal }: PipeOptions,
): Promise<void> {
  const writer = destination.getWriter()
  const aborted = Promise.withResolvers<never>()
  aborted.promise.catch(() => {})
  signal?.addEventListener('abort', () => aborted.reject(signal.reason))
  try {
    for (;;) {
      if (signal?.aborted === true) throw signal.reason
      await Promise.race([writer.ready, aborted.promise])
      const { done, value } = await Promise.race([reader.read(), aborted.promise])
      if (done) break
      // A failure of the destination shows in `ready` before the next chunk.
      writer.write(value).catch(() => {})
    }
    if (preventClose !== true) await writer.close()
  } catch (thrown) {
    if (preventAbort !== true) await writer.abort(thrown).catch(() => {})
    if (preventCancel !== true) await reader.cancel(thrown).catch(() => {})
    throw thrown
  } finally {
    reader.releaseLock()
    writer.releaseLock()
  }
}
