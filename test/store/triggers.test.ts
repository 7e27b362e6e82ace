import { Redis } from 'ioredis'
import { afterAll, beforeAll, expect, test } from 'vitest'

import type { TriggerName } from '#core/ids'
import type { TriggerSpec } from '#core/trigger'
import { parseRedisUrl } from '#store/connect'
import { openStore } from '#store/open'
import { startTestRedis, type TestRedis } from '#test/redis'

import { eventually, NAME } from './samples.ts'

const ORDERS = 'orders' as TriggerName
const SPEC: TriggerSpec = {
  kind: 'redis-stream',
  function: NAME,
  enabled: true,
  path: '/',
  filter: { type: [{ prefix: 'dev.' }, { not: [{ equals: null }] }], 'data.total': [{ numeric: { gte: 1.5 } }] },
  batchSize: 10,
  batchWindowMs: 0,
  concurrency: 1,
  mode: 'binary',
  retry: { maxAttempts: 3, backoff: 'fixed', delayMs: 1, maxDelayMs: 1 },
  maxAgeMs: 0,
  source: { stream: 'a b\n%d', secret: 'ü "quoted"', nothing: [] },
}

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

const open = (prefix: string) => openStore({ url: server.url, prefix })

test('a trigger is made, replaced and removed; the same spec changes nothing', async () => {
  await using store = await open('put')
  expect(await store.triggers.get(ORDERS)).toBeUndefined()
  const made = await store.triggers.put(ORDERS, SPEC, 100)
  const trigger = { name: ORDERS, spec: SPEC, revision: 1, createdAt: 100, updatedAt: 100 }
  expect(made).toEqual({ trigger, created: true })
  expect(await store.triggers.put(ORDERS, { ...SPEC }, 200)).toEqual({ trigger, created: false })
  const changed = { ...trigger, spec: { ...SPEC, filter: undefined }, revision: 2, updatedAt: 1_795_000_366_000 }
  expect(await store.triggers.put(ORDERS, changed.spec, 1_795_000_366_000)).toEqual({
    trigger: changed,
    created: false,
  })
  expect(await store.triggers.get(ORDERS)).toEqual(changed)
  const another = await store.triggers.put('a-first' as TriggerName, SPEC, 5)
  expect(await store.triggers.list()).toEqual([another.trigger, changed])
  expect(await store.triggers.remove(ORDERS)).toBe(true)
  expect(await store.triggers.remove(ORDERS)).toBe(false)
  expect(await store.triggers.list()).toEqual([another.trigger])
})

test('of many that make it at once one does, and every change is counted', async () => {
  await using store = await open('race')
  const specs = Array.from({ length: 20 }, (_, n) => ({ ...SPEC, batchSize: n + 1 }))
  const put = await Promise.all(specs.map((spec) => store.triggers.put(ORDERS, spec, 5)))
  expect(put.filter(({ created }) => created)).toHaveLength(1)
  expect((await store.triggers.get(ORDERS))?.revision).toBe(20)
})

test('changes are heard by other processes, and nothing when nothing changed', async () => {
  await using one = await open('heard')
  await using two = await open('heard')
  const heard: (TriggerName | undefined)[] = []
  using _ = two.triggers.onChange((name) => heard.push(name))
  // Messages before now may have been lost.
  await eventually(() => heard.length === 1)
  expect(heard.splice(0)).toEqual([undefined])
  await one.triggers.put(ORDERS, SPEC, 5)
  await one.triggers.put(ORDERS, SPEC, 6)
  await one.triggers.remove(ORDERS)
  await one.triggers.put('last' as TriggerName, SPEC, 5)
  await eventually(() => heard.includes('last' as TriggerName))
  expect(heard).toEqual([ORDERS, ORDERS, 'last'])
})

test('reports add to counters and replace the rest; a reason goes with the failure', async () => {
  await using one = await open('status')
  await using two = await open('status')
  await one.triggers.put(ORDERS, SPEC, 5)
  expect(await one.triggers.status(ORDERS)).toBeUndefined()
  await one.triggers.report(ORDERS, {
    state: 'failing',
    reason: 'ECONNREFUSED',
    at: 7,
    underWay: 2,
    add: { received: 3 },
  })
  await two.triggers.report(ORDERS, { add: { received: 2, matched: 1 } })
  const zeros = { invocations: 0, redelivered: 0, failed: 0 }
  const failing = { state: 'failing', reason: 'ECONNREFUSED', at: 7, underWay: 2, received: 5, matched: 1, ...zeros }
  expect(await two.triggers.status(ORDERS)).toEqual(failing)
  await one.triggers.report(ORDERS, { state: 'listening', lag: 4, at: 9 })
  const { reason: _, ...rest } = failing
  expect(await two.triggers.status(ORDERS)).toEqual({ ...rest, state: 'listening', lag: 4, at: 9 })
})

test('status and state go with the trigger, also when its removal was cut off', async () => {
  await using store = await open('gone')
  for (const leave of [async () => store.triggers.remove(ORDERS), async () => redis.hdel('gone:triggers', ORDERS)]) {
    await store.triggers.put(ORDERS, SPEC, 5)
    expect(await store.triggers.state(ORDERS)).toBeUndefined()
    expect(await store.triggers.status(ORDERS)).toBeUndefined()
    await store.triggers.setState(ORDERS, '12-0')
    await store.triggers.report(ORDERS, { state: 'listening', at: 1, underWay: 0, add: { received: 3 } })
    await store.triggers.put(ORDERS, { ...SPEC, batchSize: 11 }, 6)
    expect(await store.triggers.state(ORDERS)).toBe('12-0')
    await leave()
  }
})

test('one process leads until it gives up, or stops renewing', async () => {
  await using one = await open('lead')
  await using two = await open('lead')
  expect(await one.triggers.lead(ORDERS, 'one', 60_000)).toBe(true)
  expect(await two.triggers.lead(ORDERS, 'two', 60_000)).toBe(false)
  expect(await one.triggers.lead(ORDERS, 'one', 60_000)).toBe(true)
  await two.triggers.unlead(ORDERS, 'two')
  expect(await two.triggers.lead(ORDERS, 'two', 60_000)).toBe(false)
  await one.triggers.unlead(ORDERS, 'one')
  expect(await two.triggers.lead(ORDERS, 'two', 100)).toBe(true)
  await eventually(() => one.triggers.lead(ORDERS, 'one', 60_000))
  expect(await two.triggers.lead(ORDERS, 'two', 60_000)).toBe(false)
})
