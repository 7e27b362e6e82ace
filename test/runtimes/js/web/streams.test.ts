import { describe, expect, it } from 'vitest'

import { ReadableStream } from '#runtimes/js/web/readable-stream'
import { TextDecoderStream, TextEncoderStream, TransformStream } from '#runtimes/js/web/transform-stream'
import { WritableStream } from '#runtimes/js/web/writable-stream'

async function all<T>(stream: ReadableStream<T>): Promise<T[]> {
  const chunks: T[] = []
  for await (const chunk of stream) chunks.push(chunk)
  return chunks
}

describe('ReadableStream', () => {
  it('gives what is enqueued, then ends', async () => {
    const stream = new ReadableStream<number>({
      start(controller) {
        controller.enqueue(1)
        controller.enqueue(2)
        controller.close()
      },
    })
    const reader = stream.getReader()
    expect(await reader.read()).toEqual({ done: false, value: 1 })
    expect(await reader.read()).toEqual({ done: false, value: 2 })
    expect(await reader.read()).toEqual({ done: true, value: undefined })
    await expect(reader.closed).resolves.toBeUndefined()
  })

  it('pulls only what is asked for and one ahead', async () => {
    let pulled = 0
    const stream = new ReadableStream<number>({ pull: (controller) => controller.enqueue(++pulled) })
    const reader = stream.getReader()
    await reader.read()
    await reader.read()
    await Promise.resolve()
    expect(pulled).toBe(3)
    await reader.cancel()
  })

  it('rejects reads with what pull threw', async () => {
    const stream = new ReadableStream({
      pull() {
        throw new RangeError('dry')
      },
    })
    await expect(all(stream)).rejects.toThrow(new RangeError('dry'))
  })

  it('cancels its source when a loop leaves early', async () => {
    const reasons: unknown[] = []
    let pulled = 0
    const stream = new ReadableStream<number>({
      pull: (controller) => controller.enqueue(++pulled),
      cancel: (reason) => void reasons.push(reason),
    })
    for await (const chunk of stream) if (chunk === 2) break
    expect(reasons).toEqual([undefined])
    expect(stream.locked).toBe(false)
  })

  it('is locked while it has a reader; pending reads reject when the reader lets go', async () => {
    const stream = new ReadableStream()
    const reader = stream.getReader()
    expect(() => stream.getReader()).toThrow(TypeError)
    const reading = reader.read()
    reader.releaseLock()
    await expect(reading).rejects.toThrow(TypeError)
    expect(stream.getReader()).toBeDefined()
  })

  it('tees: both branches get everything, and the source is cancelled when both are', async () => {
    const reasons: unknown[] = []
    const [a, b] = ReadableStream.from([1, 2, 3]).tee()
    expect([await all(a), await all(b)]).toEqual([
      [1, 2, 3],
      [1, 2, 3],
    ])
    const [c, d] = new ReadableStream({ cancel: (reason) => void reasons.push(reason) }).tee()
    const first = c.cancel('c')
    await d.cancel('d')
    await first
    expect(reasons).toEqual([['c', 'd']])
  })
})

describe('WritableStream', () => {
  it('writes one after the other, and close waits for them', async () => {
    const log: string[] = []
    const stream = new WritableStream<string>({
      async write(chunk) {
        await Promise.resolve()
        log.push(chunk)
      },
      close: () => void log.push('close'),
    })
    const writer = stream.getWriter()
    void writer.write('a')
    void writer.write('b')
    expect(writer.desiredSize).toBe(-1)
    await writer.close()
    expect(log).toEqual(['a', 'b', 'close'])
    await expect(writer.write('c')).rejects.toThrow(TypeError)
  })

  it('fails everything after a write has failed', async () => {
    const stream = new WritableStream({ write: () => Promise.reject(new RangeError('full')) })
    const writer = stream.getWriter()
    await expect(writer.write('a')).rejects.toThrow('full')
    await expect(writer.ready).rejects.toThrow('full')
    await expect(writer.close()).rejects.toThrow('full')
  })
})

describe('TransformStream', () => {
  it('transforms, flushes and passes errors on to both sides', async () => {
    const upper = new TransformStream<string, string>({
      transform: (chunk, controller) => controller.enqueue(chunk.toUpperCase()),
      flush: (controller) => controller.enqueue('!'),
    })
    expect(await all(ReadableStream.from(['a', 'b']).pipeThrough(upper))).toEqual(['A', 'B', '!'])
    const broken = new TransformStream<string, string>({
      transform() {
        throw new RangeError('no')
      },
    })
    await expect(all(ReadableStream.from(['a']).pipeThrough(broken))).rejects.toThrow(new RangeError('no'))
  })

  it('holds the writer back until someone reads', async () => {
    const { readable, writable } = new TransformStream<number, number>()
    const writer = writable.getWriter()
    let written = 0
    for (const chunk of [1, 2, 3]) void writer.write(chunk).then(() => (written = chunk))
    await new Promise((resolve) => setImmediate(resolve))
    expect(written).toBe(0)
    const reader = readable.getReader()
    expect(await reader.read()).toEqual({ done: false, value: 1 })
    expect(await reader.read()).toEqual({ done: false, value: 2 })
    expect(await reader.read()).toEqual({ done: false, value: 3 })
    await writer.close()
    expect((await reader.read()).done).toBe(true)
  })

  it('stops the source when the readable side is cancelled', async () => {
    let pulled = 0
    const source = new ReadableStream<number>({ pull: (controller) => controller.enqueue(++pulled) })
    for await (const chunk of source.pipeThrough(new TransformStream<number, number>())) if (chunk === 2) break
    await new Promise((resolve) => setImmediate(resolve))
    expect(source.locked).toBe(false)
    expect(pulled).toBeLessThan(8)
  })

  it('encodes and decodes text that is cut anywhere', async () => {
    const chunks = ['a', '\ud83d', '\ude00b', '\ud800']
    const decoded = ReadableStream.from(chunks)
      .pipeThrough(new TextEncoderStream())
      .pipeThrough<string>(new TextDecoderStream() as never)
    expect((await all(decoded)).join('')).toBe('a😀b\ufffd')
  })
})
