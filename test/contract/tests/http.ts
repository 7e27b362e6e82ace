// Contract: what goes in comes through, and what comes out too.
import { expect } from 'vitest'

import type { World } from '../world.ts'

const MIB = 1024 * 1024

export const httpTests = {
  'answers a request': async (world: World) => {
    const reply = await world.call(await world.shared(), '/hello')
    expect(reply.completion.outcome).toEqual({ kind: 'responded', status: 200 })
    expect(reply.text).toBe('hello')
    expect(header(reply.head?.headers ?? [], 'content-type')).toContain('text/plain')
  },

  'echoes an empty body': (world: World) => expectEcho(world, new Uint8Array()),

  'echoes a body of 1 MiB': (world: World) => expectEcho(world, pattern(MIB)),

  'echoes a body of 64 MiB': async (world: World) => {
    const version = await world.deploy({ memoryMiB: 1024, timeoutMs: 60_000 })
    const body = pattern(64 * MIB)
    const reply = await world.call(version, '/echo', { method: 'POST', body })
    expect(reply.completion.outcome).toEqual({ kind: 'responded', status: 200 })
    expect(Buffer.compare(reply.body, body)).toBe(0)
  },

  'passes every byte value and invalid UTF-8 unchanged': (world: World) =>
    expectEcho(world, Buffer.from([...Array(256).keys(), 0xff, 0xfe, 0xc3, 0x28, 0xed, 0xa0, 0x80, 0x00])),

  'reads a request body that comes in pieces': async (world: World) => {
    const pieces = [pattern(10), pattern(200_000), new Uint8Array(), pattern(70_000)]
    async function* body(): AsyncGenerator<Uint8Array> {
      for (const piece of pieces) {
        await new Promise((resolve) => setTimeout(resolve, 20))
        yield piece
      }
    }
    const reply = await world.call(await world.shared(), '/echo', { method: 'POST', body: body() })
    expect(reply.completion.outcome).toEqual({ kind: 'responded', status: 200 })
    expect(Buffer.compare(reply.body, Buffer.concat(pieces))).toBe(0)
  },

  'passes method, path and query': async (world: World) => {
    const version = await world.shared()
    for (const method of ['GET', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS']) {
      const reply = await world.call(version, '/echo?a=1&b=%20x', { method })
      expect(header(reply.head?.headers ?? [], 'x-method')).toBe(method)
      expect(header(reply.head?.headers ?? [], 'x-target')).toBe('/echo?a=1&b=%20x')
    }
  },

  'answers HEAD': async (world: World) => {
    const reply = await world.call(await world.shared(), '/echo', { method: 'HEAD' })
    expect(reply.completion.outcome).toEqual({ kind: 'responded', status: 200 })
    expect(header(reply.head?.headers ?? [], 'x-method')).toBe('HEAD')
  },

  'passes request headers': async (world: World) => {
    const headers = Array.from({ length: 200 }, (_, i) => [`x-many-${i}`, `value ${i}`] as const)
    const reply = await world.call(await world.shared(), '/headers', { headers })
    const received = new Map(JSON.parse(reply.text) as [string, string][])
    for (const [name, value] of headers) expect(received.get(name)).toBe(value)
  },

  'passes response headers of the same name one by one': async (world: World) => {
    const reply = await world.call(await world.shared(), '/cookies')
    expect(reply.head?.headers.filter(([name]) => name === 'set-cookie')).toEqual([
      ['set-cookie', 'a=1'],
      ['set-cookie', 'b=2'],
    ])
  },

  'passes the status': async (world: World) => {
    const version = await world.shared()
    for (const status of [201, 404, 418, 500]) {
      const reply = await world.call(version, `/status?code=${status}`)
      expect(reply.completion.outcome).toEqual({ kind: 'responded', status })
      expect(reply.text).toBe(`status ${status}`)
    }
    const empty = await world.call(version, '/status?code=204')
    expect(empty.head?.status).toBe(204)
    expect(empty.body).toHaveLength(0)
  },

  'refuses 1,000 headers': async (world: World) => {
    const headers = Array.from({ length: 1000 }, (_, i) => [`x-${i}`, 'v'] as const)
    const refused = world.call(await world.shared(), '/hello', { headers })
    await expect(refused).rejects.toMatchObject({ code: 'too-many-headers', status: 431 })
  },

  'streams a response piece by piece': async (world: World) => {
    const reply = await world.call(await world.shared(), '/stream?n=4&ms=100')
    expect(reply.text).toBe('chunk 0\nchunk 1\nchunk 2\nchunk 3\n')
    // Had they been collected, they would have come together.
    expect((reply.chunkTimes.at(-1) ?? 0) - (reply.chunkTimes[0] ?? 0)).toBeGreaterThan(150)
  },

  'goes on after the response until the work it announced is done': async (world: World) => {
    const reply = await world.call(await world.shared(), '/later?ms=100')
    expect(reply.text).toBe('now')
    expect(reply.logs.map(({ text }) => text)).toEqual(['later'])
  },
} satisfies Record<string, (world: World) => Promise<void>>

async function expectEcho(world: World, body: Uint8Array): Promise<void> {
  const reply = await world.call(await world.shared(), '/echo', { method: 'POST', body })
  expect(reply.completion.outcome).toEqual({ kind: 'responded', status: 200 })
  expect(Buffer.compare(reply.body, body)).toBe(0)
}

/** Not periodic in a power of two, so that a chunk out of place shows. */
function pattern(size: number): Uint8Array {
  return new Uint8Array(size).map((_, i) => (i * 31 + (i >> 8)) & 0xff)
}

function header(headers: readonly (readonly [string, string])[], name: string): string | undefined {
  return headers.find(([key]) => key === name)?.[1]
}
