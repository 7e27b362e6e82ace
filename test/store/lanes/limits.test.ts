import { afterAll, beforeAll, expect, test } from 'vitest'

import type { Claim, Lanes } from '#core/queue'
import { openStore } from '#store/open'
import { startTestRedis, type TestRedis } from '#test/redis'

import { eventually, NAME, sampleInvocation } from '../samples.ts'

let server: TestRedis
beforeAll(async () => {
  server = await startTestRedis()
})
afterAll(() => server[Symbol.asyncDispose]())

/** No sweep: what is not rung when it may be taken is not taken. */
const open = (prefix: string) => openStore({ url: server.url, prefix, settings: { sweepMs: 60_000 } })
const NONE = { concurrency: 0, ratePerS: 0 }

/** Takes on every bell, and completes after `ms`. */
function serve(lanes: Lanes, onTake: (claim: Claim) => Promise<void>): void {
  lanes.listen((name) => {
    void (async () => {
      for (let claim; (claim = await lanes.take(name));) void onTake(claim)
    })()
  })
}

test('no more run at the same time than the limit, over all processes, and every one runs', async () => {
  await using one = await open('both')
  await using two = await open('both')
  let running = 0
  let most = 0
  const done = new Set<string>()
  const onTake = async (claim: Claim): Promise<void> => {
    most = Math.max(most, ++running)
    await new Promise((resolve) => setTimeout(resolve, 3))
    expect(claim.attempt).toBe(1)
    done.add(claim.invocation.id)
    running--
    await claim.complete()
  }
  for (const { lanes } of [one, two]) {
    await lanes.limit(NAME, { concurrency: 3, ratePerS: 0 })
    serve(lanes, onTake)
  }
  await one.lanes.addMany(Array.from({ length: 100 }, () => sampleInvocation()))
  await eventually(() => done.size === 100)
  expect(most).toBeLessThanOrEqual(3)
  expect(most).toBeGreaterThan(1)
})

test('a take over the limit finds nothing and uses no attempt; it rings when one is done elsewhere', async () => {
  await using holder = await open('rings')
  await using waiter = await open('rings')
  for (const { lanes } of [holder, waiter]) await lanes.limit(NAME, { concurrency: 1, ratePerS: 0 })
  const claims: Claim[] = []
  await holder.lanes.addMany([sampleInvocation(), sampleInvocation(), sampleInvocation()])
  const held = (await holder.lanes.take(NAME))!
  expect(await waiter.lanes.take(NAME)).toBeUndefined()
  serve(waiter.lanes, async (claim) => void claims.push(claim))
  // Longer than bells are passed on: it has become quiet.
  await new Promise((resolve) => setTimeout(resolve, 100))
  expect(claims).toEqual([])
  await held.complete()
  await eventually(() => claims.length === 1)
  expect(claims[0]!.attempt).toBe(1)
  await claims[0]!.retry(60_000, 'its place is free, too')
  await eventually(() => claims.length === 2)
})

test('no more are started in a second than the limit, and the others ring when they may', async () => {
  await using one = await open('rate')
  await using two = await open('rate')
  const starts: number[] = []
  for (const { lanes } of [one, two]) await lanes.limit(NAME, { concurrency: 0, ratePerS: 5 })
  const onTake = async (claim: Claim): Promise<void> => {
    starts.push(Date.now())
    expect(claim.attempt).toBe(1)
    const next = await claim.completeAndTake()
    if (next !== undefined) await onTake(next)
  }
  for (const { lanes } of [one, two]) serve(lanes, onTake)
  await one.lanes.addMany(Array.from({ length: 12 }, () => sampleInvocation()))
  await eventually(() => starts.length === 12)
  // Windows of a second each with at most 5: the last ones come in the third.
  expect(starts.at(-1)! - starts[0]!).toBeGreaterThan(1_000)
})

test('a limit that is raised or taken away lets those that wait go at once', async () => {
  await using store = await open('raise')
  const claims: Claim[] = []
  await store.lanes.limit(NAME, { concurrency: 1, ratePerS: 1_000 })
  serve(store.lanes, async (claim) => void claims.push(claim))
  await store.lanes.addMany(Array.from({ length: 4 }, () => sampleInvocation()))
  await eventually(() => claims.length === 1)
  await store.lanes.limit(NAME, { concurrency: 2, ratePerS: 0 })
  await eventually(() => claims.length === 2)
  await store.lanes.limit(NAME, NONE)
  await eventually(() => claims.length === 4)
})

test('limits that are the same cost nothing', async () => {
  await using own = await startTestRedis()
  await using store = await openStore({ url: own.url })
  const limits = { concurrency: 3, ratePerS: 7 }
  await store.lanes.limit(NAME, limits)
  await own.kill()
  for (let n = 0; n < 10; n++) await store.lanes.limit(NAME, { ...limits })
  await expect(store.lanes.limit(NAME, NONE)).rejects.toMatchObject({ code: 'store-unavailable' })
})
