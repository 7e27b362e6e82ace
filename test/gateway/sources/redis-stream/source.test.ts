import { Redis } from 'ioredis'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'

import { redisStreamSource } from '#gateway/sources/redis-stream/source'
import { parseRedisUrl } from '#store/connect'
import { makeCertificates } from '#test/brokers/certificates'
import { startRedisServer } from '#test/brokers/redis'
import { startTestRedis, type TestRedis } from '#test/redis'

import { noRoom, openSource, type TestContext } from '../open-source.ts'

const WAIT = { timeout: 20_000, interval: 20 }

describe('a redis-stream source', () => {
  let server: TestRedis
  let redis: Redis
  let count = 0

  beforeAll(async () => {
    server = await startTestRedis()
    redis = new Redis(parseRedisUrl(server.url))
  })
  afterAll(async () => {
    redis.disconnect()
    await server[Symbol.asyncDispose]()
  })

  const newStream = (): string => `stream-${count++}`
  const open = (stream: string, options: Readonly<Record<string, unknown>> = {}, given: Partial<TestContext> = {}) =>
    openSource(redisStreamSource, { stream, field: 'data', ...options }, { redisUrl: server.url, ...given })

  async function add(stream: string, ...texts: readonly string[]): Promise<string[]> {
    const ids: string[] = []
    for (const text of texts) ids.push(String(await redis.xadd(stream, '*', 'data', text)))
    return ids
  }

  async function pendingOf(stream: string, group = 'hearth-under-test'): Promise<number> {
    return Number((await redis.xpending(stream, group))[0])
  }

  it.each([
    ['all', ['1', '2', '3']],
    ['new', ['3']],
  ])('begins with %s', async (start, expected) => {
    const stream = newStream()
    await add(stream, '1', '2')
    await using opened = await open(stream, { start })
    await add(stream, '3')
    await expect.poll(() => opened.texts, WAIT).toEqual(expected)
  })

  it('begins after an entry', async () => {
    const stream = newStream()
    const [first = ''] = await add(stream, '1', '2')
    await using opened = await open(stream, { start: first })
    await expect.poll(() => opened.texts, WAIT).toEqual(['2'])
  })

  it('takes no more than it has room for, and what it had not settled is delivered first the next time', async () => {
    const stream = newStream()
    const ids = await add(stream, '1', '2', '3', '4')
    {
      await using opened = await open(stream, {}, { prefetch: 2, accept: noRoom })
      await expect.poll(() => opened.texts, WAIT).toEqual(['1', '2'])
      expect(await pendingOf(stream)).toBe(2)
      expect(await opened.source.lag?.()).toEqual({ events: 4, ms: expect.any(Number) })
    }
    await using opened = await open(stream)
    await expect.poll(() => opened.texts, WAIT).toEqual(['1', '2', '3', '4'])
    expect(opened.received.map(({ redelivered }) => redelivered)).toEqual([true, true, false, false])
    expect(opened.received.map(({ key }) => key)).toEqual(ids)
    await expect.poll(() => pendingOf(stream), WAIT).toBe(0)
    expect(await opened.source.lag?.()).toEqual({ events: 0, ms: 0 })
  })

  it('counts what waits where Redis cannot tell', async () => {
    const stream = newStream()
    const [, second = ''] = await add(stream, '1', '2', '3', '4', '5')
    await using opened = await open(stream, { start: second }, { prefetch: 1, accept: noRoom })
    await expect.poll(() => opened.texts, WAIT).toEqual(['3'])
    const groups = await redis.xinfo('GROUPS', stream)
    expect(groups).toEqual([expect.arrayContaining(['lag', null])])
    expect(await opened.source.lag?.()).toEqual({ events: 3, ms: expect.any(Number) })
  })

  it('acknowledges entries that were deleted from the stream, for nobody can have them', async () => {
    const stream = newStream()
    const [first = ''] = await add(stream, '1', '2')
    {
      await using opened = await open(stream, {}, { accept: noRoom })
      await expect.poll(() => opened.texts, WAIT).toEqual(['1', '2'])
    }
    await redis.xdel(stream, first)
    await using opened = await open(stream)
    await expect.poll(() => opened.texts, WAIT).toEqual(['2'])
    await expect.poll(() => pendingOf(stream), WAIT).toBe(0)
  })

  it('takes over what another consumer of the group has left for too long', async () => {
    const stream = newStream()
    await redis.xgroup('CREATE', stream, 'shared', '0', 'MKSTREAM')
    await add(stream, '1')
    await redis.xreadgroup('GROUP', 'shared', 'dead', 'STREAMS', stream, '>')
    await using opened = await open(stream, { group: 'shared', claimAfterMs: 100 })
    // It looks again whenever something comes.
    await new Promise((resolve) => setTimeout(resolve, 150))
    await add(stream, '2')
    await expect.poll(() => opened.texts.toSorted(), WAIT).toEqual(['1', '2'])
    expect(opened.received.find(({ event }) => Buffer.from(event.data).toString() === '1')?.redelivered).toBe(true)
    await expect.poll(() => pendingOf(stream, 'shared'), WAIT).toBe(0)
  })

  it('leaves what others have alone unless it is told otherwise', async () => {
    const stream = newStream()
    await redis.xgroup('CREATE', stream, 'shared', '0', 'MKSTREAM')
    await add(stream, '1')
    await redis.xreadgroup('GROUP', 'shared', 'busy', 'STREAMS', stream, '>')
    await using opened = await open(stream, { group: 'shared' })
    await add(stream, '2')
    await expect.poll(() => opened.texts, WAIT).toEqual(['2'])
    await expect.poll(() => pendingOf(stream, 'shared'), WAIT).toBe(1)
  })

  it('deletes entries that are acknowledged when it is to', async () => {
    const stream = newStream()
    await add(stream, '1', '2')
    await using _opened = await open(stream, { delete: true })
    await expect.poll(() => redis.xlen(stream), WAIT).toBe(0)
  })

  it('ends when its group is removed, and does not make it again', async () => {
    const stream = newStream()
    const kept = {}
    await add(stream, '1')
    {
      await using opened = await open(stream, {}, { kept })
      await expect.poll(() => opened.texts, WAIT).toEqual(['1'])
      await redis.xgroup('DESTROY', stream, 'hearth-under-test')
      await expect(opened.source.ended).rejects.toThrow(/NOGROUP|UNBLOCKED/)
    }
    await expect(open(stream, {}, { kept })).rejects.toThrow(
      `the consumer group "hearth-under-test" of the stream "${stream}" was removed`,
    )
  })

  it('receives all of a stream that was removed and made anew', async () => {
    const stream = newStream()
    const kept = {}
    await open(stream, { start: 'new' }, { kept }).then((opened) => opened[Symbol.asyncDispose]())
    await redis.del(stream)
    await using opened = await open(stream, { start: 'new' }, { kept })
    await add(stream, '1')
    await expect.poll(() => opened.texts, WAIT).toEqual(['1'])
  })

  it('says that a key is no stream', async () => {
    const key = newStream()
    await redis.set(key, 'x')
    await expect(open(key)).rejects.toThrow(`the key "${key}" is not a stream`)
  })

  it('says where nobody answers, without the password', async () => {
    const failed = open('any', { url: 'redis://ada:secret@127.0.0.1:1' })
    await expect(failed).rejects.toThrow(/^cannot connect to Redis at 127\.0\.0\.1:1: (?!.*secret).*ECONNREFUSED/)
  })

  it('connects with a password, and says so when it is wrong', async () => {
    await using guarded = await startRedisServer('--requirepass', 'let-me-in')
    const url = (password: string): string => `redis://:${password}@127.0.0.1:${guarded.port}`
    await using _opened = await open('any', { url: url('let-me-in') })
    await expect(open('any', { url: url('wrong-one') })).rejects.toThrow(
      /^cannot connect to Redis at 127\.0\.0\.1:\d+: (?!.*wrong-one).*WRONGPASS/,
    )
  })

  it('connects over TLS with what it is given', async () => {
    await using certificates = await makeCertificates()
    const { ca, server: own } = certificates
    const files = ['--tls-cert-file', own.certificate, '--tls-key-file', own.key, '--tls-ca-cert-file', ca]
    await using secure = await startRedisServer(...files)
    const url = `rediss://127.0.0.1:${secure.port}`
    await using _opened = await open('any', { url, ...(await certificates.fields(true)) })
    await expect(open('any', { url })).rejects.toThrow(/certificate/)
  })
})
