import { Redis } from 'ioredis'
import { afterAll, beforeAll, expect, test } from 'vitest'

import { deliveryLaneOf, type LaneName } from '#core/ids'
import { parseRedisUrl } from '#store/connect'
import { openStore } from '#store/open'
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

const open = (prefix: string) => openStore({ url: server.url, prefix, settings: { sweepMs: 50, leaseMs: 600 } })

test('removing names every job before it is gone, whatever state it is in, and leaves no key', async () => {
  await using store = await open('all')
  await using other = await open('all')
  const delivery = { on: 'success', destination: { kind: 'events' }, record: sampleRecord() } as const
  const many = Array.from({ length: 600 }, () => sampleInvocation())
  const special = [
    sampleInvocation({ notBefore: Date.now() + 60_000 }),
    sampleInvocation({ priority: 9 }, 'x'.repeat(200_000)),
  ]
  const told = sampleInvocation({ delivery })
  await store.lanes.addMany([...many, ...special, told])
  const held = (await other.lanes.take(NAME))!
  const dropped: [LaneName, string][] = []
  await store.lanes.remove(NAME, async (lane, ids) => {
    // They are all still there: a crash now would lose none.
    for (const id of ids)
      expect(await redis.exists(`all:{fn:hello}:${lane === NAME ? 'lane' : 'deliveries'}:${id}`)).toBe(1)
    for (const id of ids) dropped.push([lane, id])
  })
  expect(new Set(dropped.map(([, id]) => id))).toEqual(new Set([...many, ...special, told].map(({ id }) => id)))
  expect(dropped.filter(([lane]) => lane === deliveryLaneOf(NAME))).toEqual([[deliveryLaneOf(NAME), told.id]])
  expect(await redis.keys('all:{fn:hello}:*')).toEqual([])
  await eventually(() => held.cancelled.aborted && held.lost.aborted)
  await expect(held.complete()).rejects.toMatchObject({ code: 'conflict' })
})

test('a removal that is cut off names the rest the next time', async () => {
  await using store = await open('cut')
  const added = Array.from({ length: 400 }, () => sampleInvocation())
  await store.lanes.addMany(added)
  const named = new Set<string>()
  let calls = 0
  const onDrop = async (_: LaneName, ids: readonly string[]): Promise<void> => {
    if (++calls === 2) throw new Error('the process died')
    for (const id of ids) named.add(id)
  }
  await expect(store.lanes.remove(NAME, onDrop)).rejects.toThrow('the process died')
  expect(await depthOf(store.lanes)).toBe(150)
  await store.lanes.remove(NAME, onDrop)
  expect(named.size).toBe(400)
})

test('a lane of the same name begins anew, without the limits of the old one', async () => {
  await using store = await open('anew')
  await store.lanes.limit(NAME, { concurrency: 1, ratePerS: 0 })
  await store.lanes.add(sampleInvocation())
  await store.lanes.remove(NAME)
  await store.lanes.remove(NAME)
  await store.lanes.addMany([sampleInvocation(), sampleInvocation()])
  expect(await store.lanes.take(NAME)).toBeDefined()
  expect(await store.lanes.take(NAME)).toBeDefined()
})
