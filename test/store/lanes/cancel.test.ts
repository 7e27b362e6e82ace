import { Redis } from 'ioredis'
import { afterAll, beforeAll, expect, test } from 'vitest'

import { deliveryLaneOf, newInvocationId } from '#core/ids'
import type { Claim } from '#core/queue'
import { parseRedisUrl } from '#store/connect'
import { openStore } from '#store/open'
import type { StoreSettings } from '#store/settings'
import { startTestRedis, type TestRedis } from '#test/redis'

import { depthOf, eventually, NAME, sampleInvocation, sampleRecord } from '../samples.ts'

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

const open = (prefix: string, settings: Partial<StoreSettings> = {}) =>
  openStore({ url: server.url, prefix, settings: { sweepMs: 50, ...settings } })

test('what waits, is delayed or was put back is removed, with its body, and comes no more', async () => {
  await using store = await open('waits')
  await using other = await open('waits')
  const large = 'x'.repeat(200_000)
  const delayed = sampleInvocation({ notBefore: Date.now() + 60_000 }, large)
  const back = sampleInvocation({}, large)
  await store.lanes.addMany([back, delayed])
  await (await store.lanes.take(NAME))!.release(0)
  const waits = sampleInvocation({ priority: 5 })
  await store.lanes.add(waits)
  for (const { id } of [waits, delayed, back]) expect(await other.lanes.cancel(NAME, id)).toBe('removed')
  expect(await depthOf(store.lanes)).toBe(0)
  expect(await redis.hlen('waits:{fn:hello}:bodies')).toBe(0)
  for (const { id } of [waits, { id: newInvocationId() }]) expect(await other.lanes.cancel(NAME, id)).toBe('absent')
})

test('whoever holds it is told, in this process and another, and it is not run again', async () => {
  await using holder = await open('held')
  await using other = await open('held')
  for (const from of [other, holder]) {
    const invocation = sampleInvocation()
    await holder.lanes.add(invocation)
    const claim = await eventually(() => holder.lanes.take(NAME))
    expect(claim.cancelled.aborted).toBe(false)
    expect(await from.lanes.cancel(NAME, invocation.id)).toBe('told')
    await eventually(() => claim.cancelled.aborted)
    await claim.complete()
    expect(await from.lanes.cancel(NAME, invocation.id)).toBe('absent')
  }
  expect(await depthOf(holder.lanes)).toBe(0)
})

test('no cancel is lost however close it comes to the take', async () => {
  await using holder = await open('race')
  await using other = await open('race')
  for (let n = 0; n < 200; n++) {
    const invocation = sampleInvocation()
    await holder.lanes.add(invocation)
    const isFirst = n % 4 === 0
    const early = isFirst ? other.lanes.cancel(NAME, invocation.id) : undefined
    // From before the cancel has reached Redis to after it is done.
    const turns = isFirst ? n % 16 : 0
    for (let turn = 0; turn < turns; turn++) await Promise.race([early, redis.ping()])
    const taking = holder.lanes.take(NAME)
    for (let turn = 0; turn < n % 20; turn++) await Promise.resolve()
    if (n % 3 === 0) await new Promise((resolve) => setImmediate(resolve))
    const answer = early ?? other.lanes.cancel(NAME, invocation.id)
    const claim = await taking
    expect(await answer).toBe(claim === undefined ? 'removed' : 'told')
    if (claim === undefined) continue
    await eventually(() => claim.cancelled.aborted)
    await claim.complete()
  }
})

test('the end of one that waits is written down before it is gone, and a crash in between leaves it cancelled', async () => {
  await using store = await open('written')
  const [invocation, later] = [sampleInvocation(), sampleInvocation({ notBefore: Date.now() + 60_000 })]
  await store.lanes.addMany([invocation, later])
  const depths: number[] = []
  const onRemove = async (): Promise<void> => void depths.push(await depthOf(store.lanes))
  expect(await store.lanes.cancel(NAME, later.id, onRemove)).toBe('removed')
  expect(depths).toEqual([2])
  const crash = new Error('as if it had crashed')
  await expect(store.lanes.cancel(NAME, invocation.id, () => Promise.reject(crash))).rejects.toBe(crash)
  const claim = await eventually(() => store.lanes.take(NAME))
  expect(claim.cancelled.aborted).toBe(true)
  await claim.complete()
  const written: string[] = []
  const note = async (): Promise<void> => void written.push(invocation.id)
  expect(await store.lanes.cancel(NAME, invocation.id, note)).toBe('absent')
  expect(written).toEqual([])
})

test('one that is taken while its end is written down is told', async () => {
  await using store = await open('meanwhile')
  const invocation = sampleInvocation()
  await store.lanes.add(invocation)
  const taken = Promise.withResolvers<Claim>()
  const onRemove = async (): Promise<void> => taken.resolve(await eventually(() => store.lanes.take(NAME)))
  expect(await store.lanes.cancel(NAME, invocation.id, onRemove)).toBe('told')
  const claim = await taken.promise
  expect(claim.cancelled.aborted).toBe(true)
  await claim.complete()
})

test('what is told about a call is not cancelled with it, although it has the same id', async () => {
  await using store = await open('delivery')
  const invocation = sampleInvocation()
  await store.lanes.add(invocation)
  const call = (await store.lanes.take(NAME))!
  const delivery = {
    on: 'success' as const,
    destination: { kind: 'queue' as const, name: 'told' },
    record: sampleRecord({ id: invocation.id }),
  }
  await store.lanes.add({ ...invocation, delivery })
  const held = (await store.lanes.take(deliveryLaneOf(NAME)))!
  expect(await store.lanes.cancel(NAME, invocation.id)).toBe('told')
  await eventually(() => call.cancelled.aborted)
  expect(held.cancelled.aborted).toBe(false)
  await held.release(0)
  const again = await eventually(() => store.lanes.take(deliveryLaneOf(NAME)))
  expect(again.cancelled.aborted).toBe(false)
  await Promise.all([call.complete(), again.complete()])
})

test('a holder that hears no message finds out when it renews, or when it is connected again', async () => {
  await using holder = await open('deaf', { leaseMs: 600 })
  const invocation = sampleInvocation()
  await holder.lanes.add(invocation)
  const claim = (await holder.lanes.take(NAME))!
  // As a cancel leaves it whose message was lost.
  await redis.hset(`deaf:{fn:hello}:lane:${invocation.id}`, 'defa', 'cancelled')
  await eventually(() => claim.cancelled.aborted)

  await using slow = await open('reconnect', { leaseMs: 600_000 })
  await slow.lanes.add(invocation)
  const other = (await slow.lanes.take(NAME))!
  await redis.hset(`reconnect:{fn:hello}:lane:${invocation.id}`, 'defa', 'cancelled')
  await redis.call('CLIENT', 'KILL', 'TYPE', 'pubsub')
  await eventually(() => other.cancelled.aborted)
})

test('a cancel outlives a retry, a release and a holder that dies', async () => {
  await using store = await open('outlives', { leaseMs: 300 })
  store.lanes.listen(() => {})
  const invocation = sampleInvocation()
  await store.lanes.add(invocation)
  const first = (await store.lanes.take(NAME))!
  expect(await store.lanes.cancel(NAME, invocation.id)).toBe('told')
  await first.retry(1, 'it had failed just then')
  const dying = await open('outlives', { leaseMs: 300 })
  const second = await eventually(() => dying.lanes.take(NAME))
  expect(second.cancelled.aborted).toBe(true)
  await dying[Symbol.asyncDispose]()
  const third = await eventually(() => store.lanes.take(NAME))
  expect([third.cancelled.aborted, third.takeovers, third.attempt]).toEqual([true, 1, 3])
  await third.complete()
})
