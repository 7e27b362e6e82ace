import { Redis } from 'ioredis'
import { afterAll, beforeAll, expect, test } from 'vitest'

import { type FunctionName, newInvocationId, type TriggerName } from '#core/ids'
import type { InvocationRecord, RecordFilter, RecordState } from '#core/record'
import { parseRedisUrl } from '#store/connect'
import { openStore, type Store } from '#store/open'
import { encodeRecord } from '#store/records/precedence'
import type { StoreSettings } from '#store/settings'
import { startTestRedis, type TestRedis } from '#test/redis'

import { attempts, NAME, sampleRecord } from '../samples.ts'

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

const open = (prefix: string, settings: Partial<StoreSettings> = {}) => openStore({ url: server.url, prefix, settings })

async function allPages(store: Store, filter: RecordFilter): Promise<Set<string>> {
  const ids: string[] = []
  for (let cursor: string | undefined; ;) {
    const page = await store.records.list({ ...filter, ...(cursor === undefined ? {} : { cursor }) })
    expect(page.records.length).toBeLessThanOrEqual(filter.limit)
    ids.push(...page.records.map(({ id }) => id))
    if (page.next === undefined) break
    cursor = page.next
  }
  expect(ids).toEqual(ids.toSorted().toReversed())
  return new Set(ids)
}

const ids = (records: readonly InvocationRecord[]) => new Set(records.map(({ id }) => id))

test('any filters together find what they say, in pages of any size', async () => {
  await using store = await open('filters')
  const states: RecordState[] = ['queued', 'running', 'succeeded', 'failed', 'expired']
  const now = Date.now()
  const all = Array.from({ length: 120 }, (_, n) => {
    const state = states[n % states.length]!
    return sampleRecord({
      function: `f-${n % 3}` as FunctionName,
      trigger: 'event',
      state,
      attempts: state === 'queued' ? [] : attempts(1),
      acceptedAt: now - (n % 4) * 1_000,
      ...(n % 2 ? { cause: { trigger: ORDERS } } : {}),
    })
  })
  await Promise.all(all.map((record) => store.records.save(record)))
  const filters: Omit<RecordFilter, 'limit'>[] = [
    {},
    ...states.map((state) => ({ state })),
    { state: ['queued', 'running'] },
    { state: ['succeeded', 'failed', 'queued'] },
    { function: 'f-1' as FunctionName, state: ['succeeded', 'queued'] },
    { function: 'f-1' as FunctionName, state: 'expired' },
    { trigger: ORDERS },
    { trigger: ORDERS, state: 'queued', function: 'f-2' as FunctionName },
    { since: now - 1_000 },
    { before: now - 1_000, state: ['failed', 'expired'] },
    { since: now - 2_000, before: now, trigger: ORDERS },
  ]
  for (const filter of filters) {
    const wanted = all.filter(
      (record) =>
        (filter.state === undefined || [filter.state].flat().includes(record.state)) &&
        (filter.function === undefined || filter.function === record.function) &&
        (filter.trigger === undefined || filter.trigger === record.cause?.trigger) &&
        record.acceptedAt >= (filter.since ?? 0) &&
        record.acceptedAt < (filter.before ?? Infinity),
    )
    for (const limit of [3, 200]) expect(await allPages(store, { ...filter, limit })).toEqual(ids(wanted))
  }
})

test('by time, ids far from it are not even looked at', async () => {
  await using store = await open('time')
  const record = sampleRecord()
  store.records.write(record)
  expect(await allPages(store, { limit: 5, since: record.acceptedAt, before: record.acceptedAt + 1 })).toEqual(
    ids([record]),
  )
  for (const filter of [{ since: record.acceptedAt + 60_000 }, { before: record.acceptedAt - 60_000 }]) {
    expect(await allPages(store, { limit: 5, ...filter })).toEqual(new Set())
  }
})

test('lists do not show the input, and the record does', async () => {
  await using store = await open('input')
  const input = { headers: [], body: 'hi', bodyEncoding: 'utf8' } as const
  const record = sampleRecord({ trigger: 'async', attempts: attempts(1), input })
  await store.records.save(record)
  expect((await store.records.list({ limit: 5 })).records[0]).not.toHaveProperty('input')
  expect((await store.records.get(record.id))?.input).toEqual(input)
})

test('a page with few matches among many ends, and names the next', async () => {
  await using store = await open('sparse', { recordsPerFunction: 20_000 })
  const match = sampleRecord({ state: 'succeeded' })
  store.records.write(match)
  await store.records.flush()
  for (let n = 0; n < 6_000; n++) store.records.write(sampleRecord({ state: 'failed' }))
  const page = await store.records.list({ limit: 1, state: 'succeeded' })
  expect(page).toMatchObject({ records: [] })
  expect(await allPages(store, { limit: 1, state: 'succeeded' })).toEqual(ids([match]))
})

test('a process that died between a record and its lists leaves nothing out of them for good', async () => {
  await using store = await open('died')
  const queued = sampleRecord({ state: 'queued', trigger: 'async' })
  await store.records.save(queued)
  // As a process leaves it that wrote the end and died before the lists.
  const failed = { ...queued, state: 'failed', attempts: attempts(1) } as const
  await redis.set(`died:{rec:${queued.id.slice(-1)}}:record:${queued.id}`, encodeRecord(failed), 'PX', 60_000)
  expect(await allPages(store, { limit: 5 })).toEqual(ids([failed]))
  expect(await allPages(store, { limit: 5, state: 'queued' })).toEqual(new Set())
  expect(await redis.zcard('died:{fn:hello}:records:queued')).toBe(0)
  for (const filter of [{}, { function: NAME }, { state: 'failed' }, { state: 'failed', function: NAME }] as const) {
    expect(await allPages(store, { limit: 5, ...filter })).toEqual(ids([failed]))
  }
})

test('what is queued is neither cut nor forgotten, however much there is and however late it is to run', async () => {
  await using store = await open('queued', { recordsPerFunction: 20, retentionMs: 60_000 })
  const queued = Array.from({ length: 1_200 }, () => sampleRecord({ state: 'queued', trigger: 'async' }))
  const later = sampleRecord({ state: 'queued', trigger: 'async', notBefore: Date.now() + 3_600_000 })
  await Promise.all([...queued, later].map((record) => store.records.save(record)))
  for (let n = 0; n < 600; n++) store.records.write(sampleRecord({ id: newInvocationId() }))
  expect((await allPages(store, { limit: 500, state: 'queued' })).size).toBe(1_201)
  const key = `queued:{rec:${later.id.slice(-1)}}:record:${later.id}`
  expect(await redis.pttl(key)).toBeGreaterThan(3_600_000)
})
