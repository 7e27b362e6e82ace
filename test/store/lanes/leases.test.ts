import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'

import { Redis } from 'ioredis'
import { afterAll, beforeAll, expect, test } from 'vitest'

import { sleep } from '#core/clock'
import type { Claim, Lanes } from '#core/queue'
import { parseRedisUrl } from '#store/connect'
import { openStore } from '#store/open'
import type { StoreSettings } from '#store/settings'
import { startTestRedis, type TestRedis } from '#test/redis'

import { depthOf, eventually, NAME, sampleInvocation } from '../samples.ts'

/** Short enough to wait for. */
const FAST: Partial<StoreSettings> = { leaseMs: 300, sweepMs: 50 }

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

const open = (prefix: string, settings: Partial<StoreSettings> = FAST) =>
  openStore({ url: server.url, prefix, settings })
const takeEventually = (lanes: Lanes): Promise<Claim> => eventually(() => lanes.take(NAME))

test('a claim that is held longer than a lease is not taken over', async () => {
  const settings = { leaseMs: 1_500, sweepMs: 50 }
  await using one = await open('renew', settings)
  await using two = await open('renew', settings)
  two.lanes.listen(() => {})
  await one.lanes.add(sampleInvocation())
  const claim = await takeEventually(one.lanes)
  await sleep(4_000, AbortSignal.timeout(10_000))
  expect(claim.lost.aborted).toBe(false)
  expect(await two.lanes.take(NAME)).toBeUndefined()
  await claim.complete()
  expect(await depthOf(one.lanes)).toBe(0)
})

test('what a dead process held is taken over, and counts as an attempt', async () => {
  await using store = await open('dead')
  store.lanes.listen(() => {})
  for (const attempt of [1, 2, 3, 4]) {
    const dead = await open('dead')
    if (attempt === 1)
      await dead.lanes.add(sampleInvocation({ retry: { maxAttempts: 2, backoff: 'fixed', delayMs: 1, maxDelayMs: 1 } }))
    // More often than maxAttempts: the consumer sees it by the attempt, and ends it.
    const claim = await takeEventually(dead.lanes)
    expect([claim.attempt, claim.takeovers]).toEqual([attempt, attempt - 1])
    // Closed with the claim held: the same as dead, as far as the others can see.
    await dead[Symbol.asyncDispose]()
  }
  const last = await takeEventually(store.lanes)
  expect(last.attempt).toBe(5)
  await last.complete()
  expect(await depthOf(store.lanes)).toBe(0)
})

test('what a process held that was killed is taken over', async () => {
  await using store = await open('killed')
  store.lanes.listen(() => {})
  const invocation = sampleInvocation()
  await store.lanes.add(invocation)
  const script = join(import.meta.dirname, 'claim-process.ts')
  const holder = spawn(process.execPath, [script, server.url, 'killed', NAME], { stdio: ['pipe', 'pipe', 'inherit'] })
  const [held] = (await once(holder.stdout.setEncoding('utf8'), 'data')) as [string]
  expect(held.trim()).toBe(`${invocation.id} 1`)
  expect(await store.lanes.take(NAME)).toBeUndefined()
  holder.kill('SIGKILL')
  const claim = await takeEventually(store.lanes)
  expect([claim.invocation.id, claim.attempt]).toEqual([invocation.id, 2])
  await claim.complete()
})

test('who has the store to itself takes over at once, however long the leases are', async () => {
  const long = { leaseMs: 600_000, sweepMs: 600_000 }
  const dead = await open('sole', long)
  const held = [sampleInvocation(), sampleInvocation()]
  for (const invocation of held) await dead.lanes.add(invocation)
  await takeEventually(dead.lanes)
  await takeEventually(dead.lanes)
  await dead[Symbol.asyncDispose]()

  await using store = await open('sole', long)
  expect(await store.lanes.take(NAME)).toBeUndefined()
  await store.lanes.takeOverAll([NAME])
  const again = [await takeEventually(store.lanes), await takeEventually(store.lanes)]
  expect(new Set(again.map((claim) => claim.invocation.id))).toEqual(new Set(held.map(({ id }) => id)))
  expect(again.map((claim) => claim.attempt)).toEqual([2, 2])
  for (const claim of again) await claim.complete()
  expect(await depthOf(store.lanes)).toBe(0)
  await store.lanes.takeOverAll([NAME])
})

test('a process that lost its lease is told, and can no longer end the job', async () => {
  await using frozen = await open('lease')
  await using store = await open('lease')
  store.lanes.listen(() => {})
  await frozen.lanes.add(sampleInvocation())
  const claim = await takeEventually(frozen.lanes)
  // As if the process had been frozen for longer than its lease.
  await redis.del(`lease:{fn:hello}:lane:${claim.invocation.id}:lock`)
  const successor = await takeEventually(store.lanes)
  expect(successor.attempt).toBe(2)
  await eventually(() => claim.lost.aborted)
  await expect(claim.complete()).rejects.toMatchObject({ code: 'conflict' })
  await successor.complete()
})
