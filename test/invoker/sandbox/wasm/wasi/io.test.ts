import { describe, expect, it } from 'vitest'

import { BodyQueue } from '#invoker/sandbox/wasm/host/body-queue'
import { InputStream, OutputStream, Pollable, poll, sourceOf } from '#invoker/sandbox/wasm/wasi/io'
import { createLineWriter } from '#invoker/sandbox/wasm/wasi/lines'
import { Waits } from '#invoker/sandbox/wasm/wasi/waits'

const text = (bytes: Uint8Array | undefined): string | undefined => bytes && Buffer.from(bytes).toString()

describe('InputStream', () => {
  it('gives what is there, waits for what is not, and is closed after the last', async () => {
    const queue = new BodyQueue(() => {})
    const stream = new InputStream(queue)
    expect(text(stream.read(10n))).toBe('')
    const waiting = stream.blockingRead(2n)
    queue.push(Buffer.from('abc'), false)
    expect(text(await waiting)).toBe('ab')
    queue.push(Buffer.from('de'), true)
    expect(text(await stream.blockingRead(10n))).toBe('c')
    expect(stream.skip(10n)).toBe(2n)
    expect(() => stream.read(1n)).toThrow(expect.objectContaining({ tag: 'closed' }))
  })

  it('of bytes that are known gives them piece by piece', () => {
    const stream = new InputStream(sourceOf(Buffer.from('abc')))
    expect(text(stream.read(2n))).toBe('ab')
    expect(text(stream.read(2n))).toBe('c')
    expect(() => stream.read(2n)).toThrow(expect.objectContaining({ tag: 'closed' }))
  })
})

describe('OutputStream', () => {
  it('takes nothing more until the sink is ready for it', async () => {
    const room = Promise.withResolvers<void>()
    const stream = new OutputStream(() => room.promise)
    expect(stream.checkWrite()).toBe(65_536n)
    stream.write(Buffer.from('a'))
    expect(stream.checkWrite()).toBe(0n)
    expect(stream.subscribe().ready()).toBe(false)
    room.resolve()
    await stream.subscribe().block()
    expect(stream.checkWrite()).toBe(65_536n)
  })

  it('passes on what an input stream gives', async () => {
    const written: string[] = []
    const stream = new OutputStream((bytes) => void written.push(Buffer.from(bytes).toString()))
    const from = new InputStream(sourceOf(Buffer.from('abc')))
    expect(await stream.blockingSplice(from, 2n)).toBe(2n)
    expect(stream.splice(from, 9n)).toBe(1n)
    expect(written).toEqual(['ab', 'c'])
  })
})

describe('poll()', () => {
  it('answers at once when something is ready, else when the first is', async () => {
    const open = Promise.withResolvers<void>()
    let ready = false
    const later = new Pollable(
      () => ready,
      () => open.promise,
    )
    const never = new Pollable(
      () => false,
      () => new Promise(() => {}),
    )
    const answer = poll([never, later])
    ready = true
    open.resolve()
    expect([...(await answer)]).toEqual([1])
    expect([...(await poll([later, never, later]))]).toEqual([0, 2])
  })
})

describe('Waits', () => {
  it('rejects what is waited for when the guest is given up, and whatever comes then', async () => {
    const waits = new Waits()
    const waiting = waits.until(new Promise(() => {}))
    const { signal } = waits
    waits.abandon()
    await expect(waiting).rejects.toThrow('the call is over')
    await expect(waits.until(Promise.resolve())).rejects.toThrow('the call is over')
    expect(signal.aborted).toBe(true)
  })
})

describe('BodyQueue', () => {
  it('grants what was read, but not of a body that is all there', async () => {
    let granted = 0
    const queue = new BodyQueue((bytes) => (granted += bytes))
    queue.push(Buffer.from('abc'), false)
    queue.take(2)
    expect(granted).toBe(2)
    queue.push(Buffer.from('d'), true)
    expect(text(await queue.readAll(10))).toBe('cd')
    expect(granted).toBe(2)
  })

  it('reads no more than it may', async () => {
    const queue = new BodyQueue(() => {})
    queue.push(Buffer.alloc(11), true)
    expect(await queue.readAll(10)).toBeUndefined()
  })
})

describe('createLineWriter()', () => {
  it('cuts at line ends, wherever the pieces are cut, and keeps characters whole', () => {
    const lines: string[] = []
    const writer = createLineWriter((line) => lines.push(line))
    const bytes = Buffer.from('one\ntwo é\r\n\nlast')
    for (const byte of bytes) writer.write(Uint8Array.of(byte))
    writer.end()
    expect(lines).toEqual(['one', 'two é', '', 'last'])
  })

  it('does not keep a line that never ends', () => {
    const lines: string[] = []
    const writer = createLineWriter((line) => lines.push(line))
    for (let piece = 0; piece < 10; piece++) writer.write(Buffer.alloc(20_000, 'x'))
    expect(lines.length).toBeGreaterThan(1)
  })
})
