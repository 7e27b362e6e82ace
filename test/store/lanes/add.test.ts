import { Redis } from 'ioredis'
import { afterAll, beforeAll, expect, test } from 'vitest'

import { deliveryLaneOf, type FunctionName, newInvocationId, type VersionNumber } from '#core/ids'
import type { Claim, Lanes, QueuedInvocation } from '#core/queue'
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

const open = (prefix: string) => openStore({ url: server.url, prefix, settings: { sweepMs: 50 } })

async function takeAll(lanes: Lanes): Promise<QueuedInvocation[]> {
  const taken: QueuedInvocation[] = []
  for (let claim: Claim | undefined; (claim = await lanes.take(NAME)) !== undefined; await claim.complete()) {
    taken.push(claim.invocation)
  }
  return taken
}

test('many are added at once to many lanes, in order, and all are there', async () => {
  await using store = await open('many')
  const all = Array.from({ length: 3_000 }, (_, n) => sampleInvocation({ function: `f-${n % 7}` as FunctionName }))
  expect(await store.lanes.addMany(all)).toEqual(all.map(() => undefined))
  const states = await store.lanes.states()
  expect([...states.keys()].toSorted()).toEqual(['f-0', 'f-1', 'f-2', 'f-3', 'f-4', 'f-5', 'f-6'])
  expect([...states.values()].reduce((sum, state) => sum + state.waiting, 0)).toBe(3_000)
  const first = all.filter(({ function: name }) => name === 'f-3')
  for (const { id } of first.slice(0, 20)) {
    expect((await store.lanes.take('f-3' as FunctionName))?.invocation.id).toBe(id)
  }
})

test('adds of one turn of the event loop go out in one command with their bells, to one lane or many', async () => {
  await using own = await startTestRedis()
  await using store = await openStore({ url: own.url })
  await store.lanes.add(sampleInvocation())
  const admin = new Redis(parseRedisUrl(own.url))
  await admin.config('RESETSTAT')
  const names = Array.from({ length: 100 }, (_, n) => `f-${n % 50}` as FunctionName)
  await Promise.all(names.map((name) => store.lanes.add(sampleInvocation({ function: name }))))
  expect(await admin.info('commandstats')).toMatch(/cmdstat_evalsha:calls=1,/)
  expect(await admin.zcard('hearth:{lanes}:bells')).toBe(51)
  expect(await admin.zcard('hearth:{lanes}:due')).toBe(51)
  admin.disconnect()
  expect((await store.lanes.states()).size).toBe(51)
})

test('the same id is added once: in one batch, again, and while it runs', async () => {
  await using store = await open('same')
  const invocation = sampleInvocation()
  await store.lanes.addMany([invocation, invocation])
  await store.lanes.add(invocation)
  const claim = (await store.lanes.take(NAME))!
  await store.lanes.add(invocation)
  expect(await store.lanes.state(NAME)).toEqual({ waiting: 0, delayed: 0, running: 1 })
  await claim.retry(60_000, 'later')
  await store.lanes.addMany([invocation])
  expect(await store.lanes.state(NAME)).toEqual({ waiting: 0, delayed: 1, running: 0 })
})

test('a second of the same id with a large body leaves the body of the first', async () => {
  await using store = await open('same-body')
  const { request, ...rest } = sampleInvocation({}, 'a'.repeat(200_000))
  await store.lanes.add({ ...rest, request })
  await store.lanes.add({ ...rest, request: { ...request, body: Buffer.alloc(200_000, 'b') } })
  const [taken] = await takeAll(store.lanes)
  expect(Buffer.from(taken!.request.body).equals(Buffer.from(request.body))).toBe(true)
})

test('higher priorities come first, and of the same the earlier one', async () => {
  await using store = await open('priority')
  const wanted = [9, 9, 5, 1, 0, 0, 0]
  const added = [0, 9, 1, 0, 5, 9, 0].map((priority) => sampleInvocation({ priority }))
  await store.lanes.addMany(added.slice(0, 4))
  for (const invocation of added.slice(4)) await store.lanes.add(invocation)
  const taken = await takeAll(store.lanes)
  expect(taken.map(({ priority }) => priority)).toEqual(wanted)
  for (const priority of [0, 9]) {
    const ids = (all: readonly QueuedInvocation[]) => all.filter((one) => one.priority === priority).map(({ id }) => id)
    expect(ids(taken)).toEqual(ids(added))
  }
})

test('one that is put back for want of room is the next of its priority', async () => {
  await using store = await open('back')
  const added = [
    sampleInvocation({ priority: 0 }),
    sampleInvocation({ priority: 0 }),
    sampleInvocation({ priority: 3 }),
  ]
  await store.lanes.addMany(added.slice(0, 2))
  const claim = (await store.lanes.take(NAME))!
  await store.lanes.add(added[2]!)
  await claim.release(0)
  expect((await takeAll(store.lanes)).map(({ id }) => id)).toEqual([added[2]!.id, added[0]!.id, added[1]!.id])
})

test('one for later is not taken before, then rings, and comes in its priority', async () => {
  await using store = await open('later')
  const notBefore = Date.now() + 300
  const later = [sampleInvocation({ notBefore }), sampleInvocation({ notBefore, priority: 4 })]
  await store.lanes.addMany([...later, sampleInvocation({ notBefore: Date.now() - 1_000 })])
  expect(await store.lanes.state(NAME)).toMatchObject({ waiting: 1, delayed: 2 })
  const rung = new Set<string>()
  expect(await takeAll(store.lanes)).toHaveLength(1)
  store.lanes.listen((name) => rung.add(name))
  rung.clear()
  await eventually(() => rung.has(NAME))
  const claim = await eventually(() => store.lanes.take(NAME))
  expect(Date.now()).toBeGreaterThanOrEqual(notBefore)
  expect([claim.invocation.id, claim.attempt]).toEqual([later[1]!.id, 1])
  expect(await depthOf(store.lanes)).toBe(2)
})

test('all that is known of an invocation comes back, and deliveries have a lane of their own', async () => {
  await using store = await open('fields')
  const full = sampleInvocation({
    trigger: 'event',
    cause: { trigger: 'orders' as never, events: ['a', 'b'] },
    notBefore: 1,
    expiresAt: Date.now() + 60_000,
    priority: 2,
  })
  const record = sampleRecord({ state: 'failed' })
  const delivery = { on: 'failure', destination: { kind: 'events' }, record } as const
  await store.lanes.addMany([full, { ...full, delivery }])
  expect(await takeAll(store.lanes)).toEqual([
    { ...full, request: { ...full.request, body: Buffer.from(full.request.body) } },
  ])
  const claim = await store.lanes.take(deliveryLaneOf(NAME))
  expect(claim?.invocation).toMatchObject({ id: full.id, function: NAME, delivery })
  expect([...(await store.lanes.states()).keys()]).toEqual([deliveryLaneOf(NAME)])
})

test('the state has when the one that waits longest was accepted, of all priorities', async () => {
  await using store = await open('oldest')
  const at = Date.now()
  expect(await store.lanes.state(NAME)).toEqual({ waiting: 0, delayed: 0, running: 0 })
  await store.lanes.addMany([
    sampleInvocation({ acceptedAt: at - 5_000, priority: 9 }),
    sampleInvocation({ acceptedAt: at - 9_000 }),
    sampleInvocation({ acceptedAt: at - 1_000 }),
    sampleInvocation({ acceptedAt: at - 90_000, notBefore: at + 60_000 }),
  ])
  expect(await store.lanes.state(NAME)).toEqual({ waiting: 3, delayed: 1, running: 0, oldestAt: at - 9_000 })
  await store.lanes.take(NAME)
  expect(await store.lanes.state(NAME)).toEqual({ waiting: 2, delayed: 1, running: 1, oldestAt: at - 9_000 })
})

test('a retry with a changed request leaves the rest as it was, with small and large bodies', async () => {
  await using store = await open('changed')
  const bodies = ['small', 'x'.repeat(200_000), 'y'.repeat(300_000), 'small again']
  await store.lanes.add(sampleInvocation({ cause: { events: ['0'] } }, bodies[0]))
  for (const [index, body] of bodies.entries()) {
    const claim = await eventually(() => store.lanes.take(NAME))
    expect(Buffer.from(claim.invocation.request.body).toString()).toBe(body)
    expect([claim.attempt, claim.invocation.cause]).toEqual([index + 1, { events: [`${index}`] }])
    const next = bodies[index + 1]
    if (next === undefined) {
      await claim.complete()
      break
    }
    const request = { ...claim.invocation.request, body: Buffer.from(next) }
    await claim.retry(1, 'some are left', { request, cause: { events: [`${index + 1}`] } })
  }
  expect(await redis.hlen('changed:{fn:hello}:bodies')).toBe(0)
})

test('jobs of before there were priorities and policies are still run', async () => {
  await using store = await open('old')
  const id = newInvocationId()
  const request = { method: 'POST', target: '/', origin: 'http://test', headers: [], body: 'hi' }
  const data = { version: 3, request, encoding: 'utf8', acceptedAt: 5, maxAttempts: 7 }
  const large = { ...data, request: { ...request, body: '' }, encoding: 'beside' }
  const other = newInvocationId()
  await redis.hset(`old:{fn:hello}:lane:${id}`, { name: 'invocation', data: JSON.stringify(data), opts: '{}' })
  await redis.hset(`old:{fn:hello}:lane:${other}`, { name: 'invocation', data: JSON.stringify(large), opts: '{}' })
  await redis.hset('old:{fn:hello}:bodies', other, 'beside')
  await redis.lpush('old:{fn:hello}:lane:wait', id, other)
  const [one, two] = await takeAll(store.lanes)
  expect(one).toMatchObject({ id, version: 3 as VersionNumber, trigger: 'async', cause: {}, priority: 0 })
  expect(one?.retry.maxAttempts).toBe(7)
  expect(Buffer.from(two!.request.body).toString()).toBe('beside')
  expect(await redis.hlen('old:{fn:hello}:bodies')).toBe(0)
})

test('an add that fails says so, and one that is tried again adds once', async () => {
  await using own = await startTestRedis()
  await using store = await openStore({ url: own.url })
  const added = [sampleInvocation(), sampleInvocation()]
  await store.lanes.add(added[0]!)
  await own.kill()
  const errors = await store.lanes.addMany(added)
  expect(errors.map((error) => error?.code)).toEqual(['store-unavailable', 'store-unavailable'])
  await own.restart()
  await eventually(async () => (await store.lanes.addMany(added)).every((error) => error === undefined))
  expect(await depthOf(store.lanes)).toBe(2)
})
