import { Redis } from 'ioredis'
import { afterAll, beforeAll, expect, test } from 'vitest'

import { type FunctionName, type InvocationId, newInvocationId, type TriggerName } from '#core/ids'
import type { InvocationRecord } from '#core/record'
import { parseRedisUrl } from '#store/connect'
import { openStore, type Store } from '#store/open'
import { startTestRedis, type TestRedis } from '#test/redis'

import { attempts, eventually, NAME, sampleRecord } from '../samples.ts'

const ORDERS = 'orders' as TriggerName

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

const open = (prefix: string, url = server.url) => openStore({ url, prefix, settings: { flushMs: 5 } })

function idsOf(records: readonly InvocationRecord[]): InvocationId[] {
  return [...new Set(records.map(({ id }) => id))].toSorted()
}

/** Follows into a list until disposed. */
function follow(store: Store, filter: Parameters<Store['records']['follow']>[0]) {
  const stop = new AbortController()
  const seen: InvocationRecord[] = []
  const records = store.records.follow(filter, stop.signal)
  const done = (async () => {
    for await (const record of records) seen.push(record)
  })()
  return {
    seen,
    async [Symbol.asyncDispose]() {
      stop.abort()
      await done
    },
  }
}

test('records are followed as this process and others write them, and none from before', async () => {
  await using one = await open('follow')
  await using two = await open('follow')
  await one.records.save(sampleRecord({ acceptedAt: Date.now() - 60_000 }))
  await using all = follow(one, {})
  const record = sampleRecord({ state: 'queued', trigger: 'async', acceptedAt: Date.now() + 1 })
  await two.records.save(record)
  await eventually(() => all.seen.length >= 1)
  one.records.write({ ...record, state: 'running', attempts: attempts(1) })
  await eventually(() => all.seen.at(-1)?.state === 'running')
  await two.records.save({
    ...record,
    state: 'succeeded',
    attempts: attempts(1),
    input: { headers: [], body: '', bodyEncoding: 'utf8' },
  })
  await eventually(() => all.seen.at(-1)?.state === 'succeeded')
  expect(all.seen.at(-1)).not.toHaveProperty('input')
  expect(new Set(all.seen.map(({ id }) => id))).toEqual(new Set([record.id]))
})

test('only those that match are followed', async () => {
  await using store = await open('match')
  const other = 'other' as FunctionName
  await using byFunction = follow(store, { function: other })
  await using byTrigger = follow(store, { trigger: ORDERS })
  await using byState = follow(store, { state: ['failed', 'expired'] })
  const records = [
    sampleRecord({ function: other }),
    sampleRecord({ cause: { trigger: ORDERS } }),
    sampleRecord({ state: 'failed' }),
    sampleRecord({ state: 'expired', cause: { trigger: 'another' as TriggerName } }),
  ].map((record, n) => ({ ...record, acceptedAt: Date.now() + 5 + n }))
  for (const record of records) await store.records.save(record)
  await eventually(() => byState.seen.length >= 2)
  expect(idsOf(byFunction.seen)).toEqual([records[0]!.id])
  expect(idsOf(byTrigger.seen)).toEqual([records[1]!.id])
  expect(idsOf(byState.seen)).toEqual([records[2]!.id, records[3]!.id].toSorted())
})

test('a reader that is too slow misses states in between, and the last of none', async () => {
  await using store = await open('slow')
  const stop = new AbortController()
  const records = store.records.follow({}, stop.signal)
  const written = Array.from({ length: 12_000 }, () =>
    sampleRecord({ state: 'queued', acceptedAt: Date.now() + 1_000 }),
  )
  await Promise.all(written.map((record) => store.records.save(record)))
  for (const record of written) store.records.write({ ...record, state: 'succeeded', attempts: attempts(1) })
  await store.records.flush()
  const last = new Map<InvocationId, string>()
  for await (const { id, state } of records) {
    last.set(id, state)
    if (last.size >= 10_000 && last.values().every((seen) => seen === 'succeeded')) break
  }
  expect(last.size).toBeGreaterThanOrEqual(10_000)
})

test('what was written while the connection was away is seen when it is back', async () => {
  await using own = await startTestRedis()
  await using store = await open('gap', own.url)
  await using writer = await open('gap', own.url)
  await using all = follow(store, {})
  const before = sampleRecord({ state: 'queued', trigger: 'async', acceptedAt: Date.now() + 1 })
  await writer.records.save(before)
  await eventually(() => all.seen.length >= 1)
  await own.kill()
  // It reads nothing meanwhile, and does not give up.
  await new Promise((resolve) => setTimeout(resolve, 400))
  await own.restart()
  const done = { ...before, state: 'succeeded', attempts: attempts(1), finishedAt: Date.now() } as const
  const during = sampleRecord({ acceptedAt: Date.now() })
  await eventually(() =>
    writer.records.save(done).then(
      () => true,
      () => false,
    ),
  )
  await writer.records.save(during)
  await eventually(() => all.seen.some(({ id, state }) => id === before.id && state === 'succeeded'))
  await eventually(() => all.seen.some(({ id }) => id === during.id))
})

test('following ends when its signal aborts, before the first record too', async () => {
  await using store = await open('end')
  for (const signal of [AbortSignal.abort(), AbortSignal.timeout(50)]) {
    for await (const _ of store.records.follow({}, signal)) throw new Error('there is none')
  }
})

test('of a trigger it is heard what became final, in any process, and when messages may have been lost', async () => {
  await using one = await open('settled')
  await using two = await open('settled')
  const heard: (InvocationId | undefined)[] = []
  using _ = two.records.onSettled(ORDERS, (id) => heard.push(id))
  await eventually(() => heard.length === 1)
  expect(heard.splice(0)).toEqual([undefined])
  const mine = Array.from({ length: 30 }, () =>
    sampleRecord({ state: 'queued', trigger: 'event', cause: { trigger: ORDERS } }),
  )
  await Promise.all(mine.map((record) => one.records.save(record)))
  await one.records.save(sampleRecord({ cause: { trigger: 'another' as TriggerName } }))
  await one.records.save(sampleRecord({ id: newInvocationId(), function: NAME }))
  expect(heard).toEqual([])
  await Promise.all(mine.map((record) => one.records.save({ ...record, state: 'expired' })))
  await eventually(() => heard.length >= 30)
  expect(new Set(heard)).toEqual(new Set(mine.map(({ id }) => id)))
  await redis.call('CLIENT', 'KILL', 'TYPE', 'pubsub')
  await eventually(() => heard.includes(undefined))
})
