import { Redis } from 'ioredis'
import { afterAll, beforeAll, expect, test } from 'vitest'

import { type FunctionName, newInvocationId } from '#core/ids'
import type { InvocationRecord, RecordFilter } from '#core/record'
import { parseRedisUrl } from '#store/connect'
import { idFloor } from '#store/keys'
import { openStore, type Store } from '#store/open'
import type { StoreSettings } from '#store/settings'
import { startTestRedis, type TestRedis } from '#test/redis'

import { attempts, eventually, NAME, sampleLine, sampleRecord } from './samples.ts'

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

/** As the lists are: ids made in the same millisecond have no order of their own. */
function newestFirst(records: readonly InvocationRecord[]): InvocationRecord[] {
  return records.toSorted((a, b) => (a.id < b.id ? 1 : -1))
}

async function allPages(store: Store, filter: RecordFilter): Promise<InvocationRecord[]> {
  const records: InvocationRecord[] = []
  let cursor: string | undefined
  do {
    const page = await store.records.list({ ...filter, ...(cursor === undefined ? {} : { cursor }) })
    expect(page.records.length).toBeLessThanOrEqual(filter.limit)
    records.push(...page.records)
    cursor = page.next
  } while (cursor !== undefined)
  return records
}

test('a record can be read at once after it was written', async () => {
  await using store = await open('read')
  const record = sampleRecord({ error: { code: 'internal', message: 'ü' } })
  store.records.write(record)
  expect(await store.records.get(record.id)).toEqual(record)
  expect(await store.records.get(newInvocationId())).toBeUndefined()
})

test('records are listed newest first, in pages, by function and by state', async () => {
  await using store = await open('pages')
  const other = 'other' as FunctionName
  const written = Array.from({ length: 23 }, (_, index) =>
    sampleRecord({ function: index % 3 ? NAME : other, state: index % 2 ? 'failed' : 'succeeded' }),
  )
  for (const record of written) store.records.write(record)
  const newest = newestFirst(written)
  expect(await allPages(store, { limit: 5 })).toEqual(newest)
  expect(await allPages(store, { limit: 5, function: other })).toEqual(newest.filter((r) => r.function === other))
  expect(await allPages(store, { limit: 3, state: 'failed' })).toEqual(newest.filter((r) => r.state === 'failed'))
  expect(await allPages(store, { limit: 23, function: NAME, state: 'failed' })).toEqual(
    newest.filter((r) => r.function === NAME && r.state === 'failed'),
  )
  expect(await store.records.list({ limit: 5, state: 'cancelled' })).toEqual({ records: [] })
  await expect(store.records.list({ limit: 5, cursor: 'nonsense' })).rejects.toMatchObject({ code: 'invalid-request' })
})

test('a record that changes its state changes its place in the lists', async () => {
  await using store = await open('states')
  const record = sampleRecord({ trigger: 'async', state: 'queued' })
  for (const state of ['queued', 'running', 'succeeded'] as const) {
    store.records.write({ ...record, state })
    await store.records.flush()
  }
  expect((await store.records.list({ limit: 5, state: 'queued' })).records).toEqual([])
  expect((await store.records.list({ limit: 5, state: 'running', function: NAME })).records).toEqual([])
  expect((await store.records.list({ limit: 5, state: 'succeeded' })).records).toHaveLength(1)
  expect((await store.records.list({ limit: 5 })).records).toHaveLength(1)
})

test('a final state stands against a late running one of another process', async () => {
  await using one = await open('final')
  await using two = await open('final')
  const record = sampleRecord({ state: 'succeeded', attempts: attempts(1) })
  one.records.write(record)
  await one.records.flush()
  two.records.write({ ...record, state: 'running' })
  two.records.write(sampleRecord())
  await two.records.flush()
  expect(await two.records.get(record.id)).toEqual(record)
  expect((await two.records.list({ limit: 5, state: 'running' })).records).toEqual([])
})

test('a process that was taken over does not overwrite the attempt of its successor', async () => {
  await using one = await open('attempts')
  await using two = await open('attempts')
  const id = newInvocationId()
  const second = sampleRecord({ id, state: 'running', attempts: attempts(2) })
  two.records.write(second)
  await two.records.flush()
  one.records.write(sampleRecord({ id, state: 'failed', attempts: attempts(1) }))
  await one.records.flush()
  expect(await one.records.get(id)).toEqual(second)
  two.records.write({ ...second, state: 'succeeded' })
  expect(await two.records.get(id)).toMatchObject({ state: 'succeeded' })
})

test('what a process that was taken over writes late does not replace the end that its successor has written', async () => {
  await using slow = await open('successor')
  await using store = await open('successor')
  const record = sampleRecord({ trigger: 'async', attempts: attempts(1) })
  // The attempt of the one that was taken over was never seen: as many attempts, one more takeover.
  const end = { ...record, attempts: [{ ...attempts(1)[0]!, number: 2 }], redeliveries: 1, finishedAt: 2 }
  await store.records.save(end)
  await slow.records.save({ ...record, finishedAt: 1 })
  expect(await store.records.get(record.id)).toEqual(end)
})

test('a function keeps only so many records, and what goes leaves nothing behind', async () => {
  await using store = await open('count', { recordsPerFunction: 20 })
  const written = Array.from({ length: 700 }, () => sampleRecord())
  for (const record of written) {
    store.records.write(record)
    store.records.writeLogs([sampleLine('x', { invocation: record.id })])
  }
  await store.records.flush()
  const kept = await allPages(store, { limit: 300 })
  // It looks every 500 records, so there may be as many more.
  expect(kept.length).toBeGreaterThanOrEqual(20)
  expect(kept.length).toBeLessThan(600)
  expect(kept).toEqual(expect.arrayContaining(written.slice(-20)))
  expect(await redis.zcard('count:{fn:hello}:records')).toBe(kept.length)
  expect(await redis.keys('count:{rec:?}:record:*')).toHaveLength(kept.length)
  expect(await redis.keys('count:{rec:?}:log:*')).toHaveLength(kept.length)
})

test('records expire by age, from the lists as well', async () => {
  await using store = await open('age', { retentionMs: 300 })
  const old = sampleRecord()
  store.records.write(old)
  expect((await store.records.list({ limit: 5 })).records).toEqual([old])
  await eventually(async () => (await store.records.get(old.id)) === undefined)
  expect(await store.records.list({ limit: 5 })).toEqual({ records: [] })
  expect(await redis.zcard('age:{all}:records')).toBe(0)
})

test('every key of records and logs expires', async () => {
  await using store = await open('ttl')
  store.records.write(sampleRecord())
  store.records.writeLogs([sampleLine('x')])
  await store.records.flush()
  const keys = await redis.keys('ttl:*')
  expect(keys.length).toBeGreaterThan(5)
  for (const key of keys) expect([key, (await redis.pttl(key)) > 0]).toEqual([key, true])
})

test('ids made before a time sort before its floor', () => {
  const id = newInvocationId()
  expect(idFloor(Date.now() - 10_000) < id).toBe(true)
  expect(idFloor(Date.now() + 10_000) > id).toBe(true)
})

test('log lines are found by invocation, the first ones, and by function, the newest ones', async () => {
  await using store = await open('logs', { logLinesPerInvocation: 3 })
  const invocation = newInvocationId()
  store.records.writeLogs([1, 2, 3, 4, 5].map((n) => sampleLine(`line ${n}`, { invocation })))
  store.records.writeLogs([sampleLine('other')])
  expect((await store.records.logsOf(invocation)).map((line) => line.text)).toEqual(['line 1', 'line 2', 'line 3'])
  expect((await store.records.logsOfFunction(NAME, 2)).map((line) => line.text)).toEqual(['line 5', 'other'])
})

test('following loses no line between the snapshot and the tail, from this process and another', async () => {
  await using one = await open('follow')
  await using two = await open('follow')
  one.records.writeLogs([sampleLine('0')])
  const stop = new AbortController()
  const tail = one.records.followLogs(NAME, stop.signal)
  const snapshot = await one.records.logsOfFunction(NAME, 100)
  const followed: string[] = []
  const done = (async () => {
    for await (const line of tail) followed.push(line.text)
  })()
  const expected: string[] = []
  for (let n = 1; n <= 1_200; n++) {
    ;(n % 2 ? one : two).records.writeLogs([sampleLine(`${n}`)])
    if (n % 100 === 0) await two.records.flush()
    expected.push(`${n}`)
  }
  await eventually(() => followed.length === 1_200)
  stop.abort()
  await done
  expect(snapshot.map((line) => line.text)).toEqual(['0'])
  expect(new Set(followed)).toEqual(new Set(expected))
})

test('following goes on after Redis was killed and restarted', async () => {
  await using own = await startTestRedis()
  await using store = await openStore({ url: own.url })
  const stop = new AbortController()
  const tail = store.records.followLogs(NAME, stop.signal)[Symbol.asyncIterator]()
  const first = tail.next()
  store.records.writeLogs([sampleLine('before')])
  expect((await first).value).toMatchObject({ text: 'before' })
  const second = tail.next()
  await own.kill()
  await own.restart()
  store.records.writeLogs([sampleLine('after')])
  expect((await second).value).toMatchObject({ text: 'after' })
  stop.abort()
  expect((await tail.next()).done).toBe(true)
})

test('while Redis is away writes return, flush fails, and what was written arrives when it is back', async () => {
  await using own = await startTestRedis()
  await using store = await openStore({ url: own.url })
  await own.kill()
  const records = Array.from({ length: 1_000 }, () => sampleRecord())
  for (const record of records) store.records.write(record)
  await expect(store.records.flush()).rejects.toMatchObject({ code: 'store-unavailable' })
  await own.restart()
  await eventually(() =>
    store.records.flush().then(
      () => true,
      () => false,
    ),
  )
  expect(await allPages(store, { limit: 500 })).toEqual(newestFirst(records))
  expect(store.records.dropped).toBe(0)
})

test('closing the store writes the records that wait', async () => {
  const record = sampleRecord()
  {
    await using store = await open('close', { flushMs: 60_000 })
    store.records.write(record)
  }
  await using store = await open('close')
  expect(await store.records.get(record.id)).toEqual(record)
})

test('a saved record is in Redis and in the lists when save resolves, however long writes may wait', async () => {
  await using store = await open('save', { flushMs: 60_000 })
  await using other = await open('save')
  const record = sampleRecord({ state: 'queued', trigger: 'async' })
  await store.records.save(record)
  expect(await other.records.get(record.id)).toEqual(record)
  expect(await allPages(other, { state: 'queued', limit: 5 })).toEqual([record])
})

test('a saved record takes the place of an earlier one that waits, and no later one', async () => {
  await using store = await open('save-order', { flushMs: 60_000 })
  const running = sampleRecord({ state: 'running', attempts: attempts(1) })
  store.records.write(running)
  const done = { ...running, state: 'succeeded' } as const
  await store.records.save(done)
  expect(await store.records.get(done.id)).toEqual(done)
  await store.records.save({ ...running, state: 'queued', attempts: [] })
  expect(await store.records.get(done.id)).toEqual(done)
  expect(await allPages(store, { state: 'queued', limit: 5 })).toEqual([])
})

test('a record that says queued and comes late stands in the way of nothing, also in the lists', async () => {
  await using store = await open('late')
  const queued = sampleRecord({ state: 'queued', trigger: 'async' })
  const done = { ...queued, state: 'succeeded', attempts: attempts(1) } as const
  await store.records.save(done)
  // As a process leaves it that wrote the record before `done`, and its index after.
  await redis.zadd('late:{fn:hello}:records:queued', 0, queued.id)
  await store.records.save(queued)
  expect(await store.records.get(queued.id)).toEqual(done)
  expect(await allPages(store, { state: 'queued', limit: 5 })).toEqual([])
  expect(await redis.zcard('late:{fn:hello}:records:queued')).toBe(0)
  expect(await allPages(store, { state: 'succeeded', limit: 5 })).toEqual([done])
})
