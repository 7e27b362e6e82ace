import { createHash } from 'node:crypto'

import { Redis } from 'ioredis'
import { afterAll, beforeAll, expect, test } from 'vitest'

import type { IdempotencyKey } from '#core/idempotency'
import { type Digest, newInvocationId } from '#core/ids'
import { parseRedisUrl } from '#store/connect'
import { openStore } from '#store/open'
import type { StoreSettings } from '#store/settings'
import { startTestRedis, type TestRedis } from '#test/redis'

import { eventually } from './samples.ts'

const KEY: IdempotencyKey = { scope: 'fn:hello', key: 'order-7' }
const RESPONSE = { status: 201, headers: [['x', 'ü']], body: Buffer.of(0, 255, 128, 10, 13) } as const

let server: TestRedis
let redis: Redis
beforeAll(async () => {
  server = await startTestRedis()
  redis = new Redis(parseRedisUrl(server.url))
})
afterAll(async () => {
  redis.disconnect()
  await server[Symbol.asyncDispose]()
})

const open = (prefix: string, settings: Partial<StoreSettings> = {}) => openStore({ url: server.url, prefix, settings })
const print = (text: string): Digest => createHash('sha256').update(text).digest('hex') as Digest
const soon = (): AbortSignal => AbortSignal.timeout(8_000)

test('the first begins, others see it running, and then its response byte for byte, in any process', async () => {
  await using one = await open('first')
  await using two = await open('first')
  const [first, second] = [newInvocationId(), newInvocationId()]
  expect(await one.idempotency.begin(KEY, print('a'), first)).toEqual({ kind: 'first' })
  expect(await two.idempotency.begin(KEY, print('a'), second)).toEqual({ kind: 'running', invocation: first })
  await one.idempotency.finish(KEY, RESPONSE)
  for (const { idempotency } of [one, two]) {
    const done = await idempotency.begin(KEY, print('a'), second)
    expect(done).toMatchObject({ kind: 'done', invocation: first })
    if (done.kind !== 'done') throw new Error('unreachable')
    expect({ ...done.response, body: Buffer.from(done.response.body) }).toEqual(RESPONSE)
  }
})

test('another request under the key is a mismatch, before and after the end; other scopes are other keys', async () => {
  await using store = await open('mismatch')
  const first = newInvocationId()
  await store.idempotency.begin(KEY, print('a'), first)
  const mismatch = { kind: 'mismatch', invocation: first }
  expect(await store.idempotency.begin(KEY, print('b'), newInvocationId())).toEqual(mismatch)
  await store.idempotency.finish(KEY, RESPONSE)
  expect(await store.idempotency.begin(KEY, print('b'), newInvocationId())).toEqual(mismatch)
  const other = { ...KEY, scope: 'fn:other' }
  expect(await store.idempotency.begin(other, print('b'), newInvocationId())).toEqual({ kind: 'first' })
})

test('of many that begin at once exactly one is the first', async () => {
  await using one = await open('many')
  await using two = await open('many')
  const begun = await Promise.all(
    Array.from({ length: 40 }, (_, n) => (n % 2 ? one : two).idempotency.begin(KEY, print('a'), newInvocationId())),
  )
  expect(begun.filter(({ kind }) => kind === 'first')).toHaveLength(1)
  expect(begun.filter(({ kind }) => kind === 'running')).toHaveLength(39)
  const items = Array.from({ length: 500 }, (_, n) => ({
    key: { scope: 'trg:orders', key: `event-${n % 400}` },
    fingerprint: print('x'),
    invocation: newInvocationId(),
  }))
  const kinds = (await one.idempotency.beginMany(items)).map(({ kind }) => kind)
  expect(kinds.slice(0, 400)).toEqual(Array.from({ length: 400 }, () => 'first'))
  expect(kinds.slice(400)).toEqual(Array.from({ length: 100 }, () => 'running'))
})

test('what was abandoned begins anew, and may be another request', async () => {
  await using store = await open('abandon')
  await store.idempotency.begin(KEY, print('a'), newInvocationId())
  expect(await store.idempotency.abandon(KEY)).toBe(true)
  expect(await store.idempotency.begin(KEY, print('b'), newInvocationId())).toEqual({ kind: 'first' })
})

test('what is in doubt begins again, and all who do are told the first invocation until one finishes', async () => {
  await using one = await open('doubt')
  await using two = await open('doubt')
  const first = newInvocationId()
  await one.idempotency.begin(KEY, print('a'), first)
  await one.idempotency.doubt(KEY)
  for (const store of [two, one]) {
    const again = { kind: 'first', before: first }
    expect(await store.idempotency.begin(KEY, print('a'), newInvocationId())).toEqual(again)
    const running = { kind: 'running', invocation: first }
    expect(await store.idempotency.begin(KEY, print('a'), newInvocationId())).toEqual(running)
    await store.idempotency.doubt(KEY)
  }
  await one.idempotency.begin(KEY, print('a'), newInvocationId())
  await one.idempotency.finish(KEY, RESPONSE)
  expect(await two.idempotency.begin(KEY, print('a'), first)).toMatchObject({ kind: 'done', invocation: first })
})

test('a key is held as long as its process lives, and is free, with a word, when it has died', async () => {
  await using store = await open('dies', { leaseMs: 300 })
  const dying = await open('dies', { leaseMs: 300 })
  const first = newInvocationId()
  await dying.idempotency.begin(KEY, print('a'), first)
  await new Promise((resolve) => setTimeout(resolve, 800))
  const running = { kind: 'running', invocation: first }
  expect(await store.idempotency.begin(KEY, print('a'), newInvocationId())).toEqual(running)
  await dying[Symbol.asyncDispose]()
  const settled = await store.idempotency.settled(KEY, print('a'), newInvocationId(), soon())
  expect(settled).toEqual({ kind: 'first', before: first })
})

test('a process that has lost its lease does not end the key of its successor, but what it did counts', async () => {
  await using frozen = await open('frozen')
  await using store = await open('frozen')
  const first = newInvocationId()
  await frozen.idempotency.begin(KEY, print('a'), first)
  const [lease] = await redis.keys('frozen:{idem:*}:lease')
  await redis.del(lease!)
  expect(await store.idempotency.begin(KEY, print('a'), newInvocationId())).toMatchObject({ before: first })
  expect(await frozen.idempotency.abandon(KEY)).toBe(false)
  expect(await store.idempotency.begin(KEY, print('a'), newInvocationId())).toMatchObject({ kind: 'running' })
  await frozen.idempotency.finish(KEY, RESPONSE)
  await store.idempotency.finish(KEY, { ...RESPONSE, status: 500 })
  expect(await store.idempotency.begin(KEY, print('a'), first)).toMatchObject({ response: { status: 201 } })
})

test('who waits hears at once when it is done, abandoned or in doubt, and only one of them gets the key', async () => {
  await using one = await open('settled')
  await using two = await open('settled')
  const first = newInvocationId()
  await one.idempotency.begin(KEY, print('a'), first)
  const waiting = [one, two, two].map(({ idempotency }) =>
    idempotency.settled(KEY, print('a'), newInvocationId(), soon()),
  )
  await one.idempotency.abandon(KEY)
  const winner = await Promise.any(
    waiting.map(async (settled, n) => ((await settled).kind === 'first' ? n : Promise.reject(new Error()))),
  )
  await (winner === 0 ? one : two).idempotency.finish(KEY, RESPONSE)
  const kinds = (await Promise.all(waiting)).map(({ kind }) => kind)
  expect(kinds.toSorted()).toEqual(['done', 'done', 'first'])
})

test('waiting ends with its signal', async () => {
  await using store = await open('signal')
  await store.idempotency.begin(KEY, print('a'), newInvocationId())
  const reason = new Error('the client has gone')
  const waiting = store.idempotency.settled(KEY, print('a'), newInvocationId(), AbortSignal.abort(reason))
  await expect(waiting).rejects.toBe(reason)
})

test('a key that could not be finished while Redis was away is free when its lease is over', async () => {
  await using own = await startTestRedis()
  await using store = await openStore({ url: own.url, settings: { leaseMs: 300 } })
  const first = newInvocationId()
  await store.idempotency.begin(KEY, print('a'), first)
  await own.kill()
  await expect(store.idempotency.finish(KEY, RESPONSE)).rejects.toMatchObject({ code: 'store-unavailable' })
  await own.restart()
  const again = await eventually(() =>
    store.idempotency.begin(KEY, print('a'), newInvocationId()).then(
      (begun) => begun.kind === 'first' && begun,
      () => false as const,
    ),
  )
  expect(again).toEqual({ kind: 'first', before: first })
})

test('keys are forgotten after their time, and every key in Redis expires', async () => {
  await using store = await open('ttl', { idempotencyMs: 300, leaseMs: 200 })
  await store.idempotency.begin(KEY, print('a'), newInvocationId())
  await store.idempotency.finish(KEY, RESPONSE)
  const running = { ...KEY, key: 'under way' }
  await store.idempotency.begin(running, print('a'), newInvocationId())
  for (const key of await redis.keys('ttl:*')) expect(await redis.pttl(key)).toBeGreaterThan(0)
  const isForgotten = async () => (await store.idempotency.begin(KEY, print('b'), newInvocationId())).kind === 'first'
  await eventually(isForgotten)
  // One that is under way is not, however long that takes.
  expect(await store.idempotency.begin(running, print('a'), newInvocationId())).toMatchObject({ kind: 'running' })
  await store.idempotency.abandon(running)
  await store.idempotency.abandon(KEY)
  expect(await redis.keys('ttl:*')).toEqual([])
})
