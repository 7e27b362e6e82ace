import { Redis } from 'ioredis'
import { afterAll, beforeAll, expect, test } from 'vitest'

import { sleep } from '#core/clock'
import type { FunctionName, LaneName } from '#core/ids'
import type { Claim, Lanes } from '#core/queue'
import { parseRedisUrl } from '#store/connect'
import { openStore } from '#store/open'
import type { StoreSettings } from '#store/settings'
import { startTestRedis, type TestRedis } from '#test/redis'

import { depthOf, eventually, NAME, sampleInvocation } from './samples.ts'

/** Short enough to wait for. */
const FAST: Partial<StoreSettings> = { sweepMs: 50 }

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
const takeEventually = (lanes: Lanes, name: FunctionName = NAME): Promise<Claim> => eventually(() => lanes.take(name))

test('what is added is taken once, in order, with its body', async () => {
  await using store = await open('order')
  const added = [sampleInvocation({}, 'one'), sampleInvocation({}, ''), sampleInvocation({}, 'drei ü')]
  for (const invocation of added) await store.lanes.add(invocation)
  expect(await depthOf(store.lanes)).toBe(3)
  for (const invocation of added) {
    const claim = await store.lanes.take(NAME)
    expect(claim?.attempt).toBe(1)
    expect({ ...claim?.invocation, request: undefined }).toEqual({ ...invocation, request: undefined })
    expect(Buffer.from(claim!.invocation.request.body)).toEqual(Buffer.from(invocation.request.body))
    expect(claim?.invocation.request.headers).toEqual(invocation.request.headers)
    await claim?.complete()
  }
  expect(await store.lanes.take(NAME)).toBeUndefined()
  expect(await depthOf(store.lanes)).toBe(0)
})

test('adding an invocation twice adds it once', async () => {
  await using store = await open('twice')
  const invocation = sampleInvocation()
  await store.lanes.add(invocation)
  await store.lanes.add(invocation)
  expect(await depthOf(store.lanes)).toBe(1)
})

test('binary and large bodies come back unchanged, and completing leaves nothing of them', async () => {
  await using store = await open('bodies')
  for (const body of [Buffer.of(0, 255, 128, 10), Buffer.alloc(1_000_000, 0xc3), Buffer.alloc(200_000, 'x')]) {
    const { request, ...rest } = sampleInvocation()
    await store.lanes.add({ ...rest, request: { ...request, body } })
    const claim = await store.lanes.take(NAME)
    expect(Buffer.from(claim!.invocation.request.body).equals(body)).toBe(true)
    await claim!.complete()
  }
  const left = await redis.keys('bodies:{fn:hello}:*')
  expect(new Set(left.map((key) => key.split(':').at(-1)))).toEqual(new Set(['pc', 'meta']))
})

test('completing takes the next one along, with a lease and an attempt of its own', async () => {
  await using store = await open('along', { ...FAST, leaseMs: 300 })
  const [first, second] = [sampleInvocation({}, 'one'), sampleInvocation({}, 'x'.repeat(200_000))]
  for (const invocation of [first, second]) await store.lanes.add(invocation)
  const claim = (await store.lanes.take(NAME))!
  const next = (await claim.completeAndTake())!
  expect(next.invocation).toMatchObject({ id: second.id })
  expect(next.invocation.request.body).toHaveLength(200_000)
  expect(next.attempt).toBe(1)
  await expect(claim.complete()).rejects.toThrow()
  // Longer than its lease: it is renewed.
  await sleep(700, AbortSignal.timeout(5_000))
  expect(next.lost.aborted).toBe(false)
  expect(await depthOf(store.lanes)).toBe(1)
  await next.retry(0, 'it threw')
  const again = await takeEventually(store.lanes)
  expect(again.attempt).toBe(2)
  expect(await again.completeAndTake()).toBeUndefined()
  expect(await depthOf(store.lanes)).toBe(0)
})

test('a claim whose lease is lost takes nothing along', async () => {
  await using store = await open('lost-along')
  for (let n = 0; n < 2; n++) await store.lanes.add(sampleInvocation())
  const claim = (await store.lanes.take(NAME))!
  await redis.del(`lost-along:{fn:hello}:lane:${claim.invocation.id}:lock`)
  await expect(claim.completeAndTake()).rejects.toMatchObject({ code: 'conflict' })
  expect((await store.lanes.take(NAME))?.attempt).toBe(1)
})

test('completed jobs and their events do not pile up in Redis', async () => {
  await using store = await open('growth')
  for (let n = 0; n < 300; n++) {
    await store.lanes.add(sampleInvocation())
    await (await store.lanes.take(NAME))!.complete()
  }
  expect(await redis.xlen('growth:{fn:hello}:lane:events')).toBeLessThan(250)
  expect(await redis.zcard('growth:{fn:hello}:lane:completed')).toBe(0)
})

test('a retry uses up an attempt, a release does not', async () => {
  await using store = await open('attempts')
  await store.lanes.add(sampleInvocation())
  await (await takeEventually(store.lanes)).retry(1, 'it threw')
  await (await takeEventually(store.lanes)).release(1)
  await (await takeEventually(store.lanes)).release(0)
  const claim = await takeEventually(store.lanes)
  expect(claim.attempt).toBe(2)
  await claim.retry(0, 'it threw again')
  expect((await takeEventually(store.lanes)).attempt).toBe(3)
})

test('a retry is not taken before its delay is over, and then rings', async () => {
  await using store = await open('delay')
  await store.lanes.add(sampleInvocation())
  await (await store.lanes.take(NAME))!.retry(150, 'later')
  const rung: LaneName[] = []
  store.lanes.listen((name) => rung.push(name))
  expect(await store.lanes.take(NAME)).toBeUndefined()
  expect(await depthOf(store.lanes)).toBe(1)
  await eventually(() => rung.length > 0)
  expect((await takeEventually(store.lanes)).attempt).toBe(2)
})

test('a delay set by a process that is gone is rung by another', async () => {
  {
    await using gone = await open('promote')
    await gone.lanes.add(sampleInvocation())
    await (await gone.lanes.take(NAME))!.retry(200, 'later')
  }
  await using store = await open('promote')
  const claims: Claim[] = []
  store.lanes.listen((name) => void store.lanes.take(name).then((claim) => claim && claims.push(claim)))
  await eventually(() => claims.length === 1)
})

test('a bell rings after an add in another process', async () => {
  await using producer = await open('bell')
  await using consumer = await open('bell')
  const rung: LaneName[] = []
  consumer.lanes.listen((name) => rung.push(name))
  await producer.lanes.add(sampleInvocation())
  await eventually(() => rung.includes(NAME))
})

test('lanes with work ring at the start', async () => {
  const names = ['a', 'b', 'c'] as FunctionName[]
  {
    await using before = await open('start', { sweepMs: 60_000 })
    for (const name of names) await before.lanes.add(sampleInvocation({ function: name }))
  }
  await redis.del('start:{lanes}:bells')
  await using store = await open('start', { sweepMs: 60_000 })
  const rung = new Set<LaneName>()
  store.lanes.listen((name) => rung.add(name))
  await eventually(() => rung.size === 3)
})

test('a lost bell is made up for by the sweep', async () => {
  await using store = await open('lost')
  const rung: LaneName[] = []
  await store.lanes.add(sampleInvocation({ function: 'other' as FunctionName }))
  store.lanes.listen((name) => rung.push(name))
  await eventually(() => rung.length > 0)
  await using silent = await open('lost')
  await silent.lanes.add(sampleInvocation())
  await redis.zrem('lost:{lanes}:bells', NAME)
  await eventually(() => rung.includes(NAME))
})

test('a process without room passes the bell on to one that has room', async () => {
  await using full = await open('pass', { sweepMs: 60_000 })
  await using free = await open('pass', { sweepMs: 60_000 })
  let declined = 0
  full.lanes.listen(() => declined++)
  await eventually(async () => String(await redis.client('LIST')).includes('cmd=bzpopmin'))
  await full.lanes.add(sampleInvocation())
  await eventually(() => declined > 0)
  const claims: Claim[] = []
  free.lanes.listen((name) => void free.lanes.take(name).then((claim) => claim && claims.push(claim)))
  await eventually(() => claims.length === 1)
})

test('everything is served once when two processes take one at a time from many lanes', async () => {
  await using one = await open('share')
  await using two = await open('share')
  const served: string[] = []
  const serve = (lanes: Lanes) => {
    let busy = false
    return lanes.listen((name) => {
      if (busy) return
      busy = true
      void (async () => {
        for (let claim; (claim = await lanes.take(name));) {
          served.push(claim.invocation.id)
          await claim.complete()
        }
        busy = false
      })()
    })
  }
  serve(one.lanes)
  serve(two.lanes)
  const added = Array.from({ length: 200 }, (_, index) =>
    sampleInvocation({ function: `f${index % 20}` as FunctionName }),
  )
  await Promise.all(added.map((invocation) => one.lanes.add(invocation)))
  await eventually(() => served.length >= 200)
  expect(served.toSorted()).toEqual(added.map((invocation) => invocation.id).toSorted())
})

test('a lane that was seen empty is not asked again before it rings', async () => {
  await using own = await startTestRedis()
  await using store = await openStore({ url: own.url, settings: { sweepMs: 60_000 } })
  await using producer = await openStore({ url: own.url, settings: { sweepMs: 60_000 } })
  const rung: LaneName[] = []
  store.lanes.listen((name) => rung.push(name))
  await store.lanes.add(sampleInvocation())
  await eventually(() => rung.length > 0)
  await (await takeEventually(store.lanes)).complete()
  expect(await store.lanes.take(NAME)).toBeUndefined()
  const admin = new Redis(parseRedisUrl(own.url))
  await admin.config('RESETSTAT')
  for (let n = 0; n < 10; n++) expect(await store.lanes.take(NAME)).toBeUndefined()
  expect(await admin.info('commandstats')).not.toMatch(/evalsha/)
  admin.disconnect()
  await producer.lanes.add(sampleInvocation())
  await (await takeEventually(store.lanes)).complete()
})

test('removing a lane drops what waits, what is delayed and what is held', async () => {
  await using store = await open('remove', { leaseMs: 600 })
  for (let n = 0; n < 3; n++) await store.lanes.add(sampleInvocation({}, 'x'.repeat(200_000)))
  const held = await takeEventually(store.lanes)
  await (await takeEventually(store.lanes)).retry(60_000, 'later')
  await store.lanes.remove(NAME)
  expect(await depthOf(store.lanes)).toBe(0)
  await eventually(() => held.lost.aborted)
  await eventually(async () => (await redis.keys('remove:{fn:hello}:*')).length === 0)
})

test('a claim is completed although Redis was restarted meanwhile, and the jobs survive', async () => {
  await using own = await startTestRedis()
  await using store = await openStore({ url: own.url, settings: { leaseMs: 20_000 } })
  await store.lanes.add(sampleInvocation())
  await store.lanes.add(sampleInvocation())
  const rung: LaneName[] = []
  store.lanes.listen((name) => rung.push(name))
  const claim = await takeEventually(store.lanes)
  await own.kill()
  const completed = claim.complete()
  await own.restart()
  await completed
  expect(await depthOf(store.lanes)).toBe(1)
  rung.length = 0
  await store.lanes.add(sampleInvocation({ function: 'other' as FunctionName }))
  await eventually(() => rung.includes('other' as FunctionName))
})

test('a thousand lanes need three connections', async () => {
  await using own = await startTestRedis()
  await using store = await openStore({ url: own.url })
  const names = Array.from({ length: 1_000 }, (_, index) => `f-${index}` as FunctionName)
  const served = new Set<LaneName>()
  const tasks = new Set<Promise<void>>()
  store.lanes.listen((name) => {
    const task = (async () => {
      const claim = await store.lanes.take(name)
      await claim?.complete()
      if (claim) served.add(name)
    })()
    tasks.add(task)
    void task.finally(() => tasks.delete(task))
  })
  await Promise.all(names.map((name) => store.lanes.add(sampleInvocation({ function: name }))))
  await eventually(() => served.size === 1_000)
  await Promise.all(tasks)
  await using probe = Object.assign(new Redis(parseRedisUrl(own.url)), {
    async [Symbol.asyncDispose]() {
      probe.disconnect()
    },
  })
  const clients = String(await probe.client('LIST'))
    .split('\n')
    .filter((line) => line.includes('name=hearth-'))
  expect(clients).toHaveLength(3)
})
