import { Redis } from 'ioredis'
import { afterAll, beforeAll, expect, test } from 'vitest'

import type { FunctionName } from '#core/ids'
import type { Claim } from '#core/queue'
import { parseRedisUrl } from '#store/connect'
import { openStore } from '#store/open'
import { startTestRedis, type TestRedis } from '#test/redis'

import { NAME, sampleInvocation, sampleRecord } from '../samples.ts'

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

test('takes and ends of one turn of the event loop go out in one command, to one lane or many, with their records', async () => {
  await using own = await startTestRedis()
  await using store = await openStore({ url: own.url })
  const names = Array.from({ length: 40 }, (_, n) => `f-${n % 20}` as FunctionName)
  const invocations = names.map((name) => sampleInvocation({ function: name }))
  await store.lanes.addMany(invocations)
  await (await store.lanes.take(names[0]!))!.release(0)
  const admin = new Redis(parseRedisUrl(own.url))
  await admin.config('RESETSTAT')
  const claims = (await Promise.all(names.map((name) => store.lanes.take(name)))) as Claim[]
  expect(claims.map(({ invocation }) => invocation.id).toSorted()).toEqual(invocations.map(({ id }) => id).toSorted())
  await Promise.all(
    claims.map((claim) => {
      const { id, function: name } = claim.invocation
      return claim.complete(sampleRecord({ id, function: name, trigger: 'async' }))
    }),
  )
  const stats = await admin.info('commandstats')
  // One more for the limits of what is kept of a function's records, for each and for all.
  expect(Number(/cmdstat_evalsha:calls=(\d+)/.exec(stats)?.[1])).toBeLessThanOrEqual(2 + 21)
  admin.disconnect()
  expect((await store.records.list({ limit: 100 })).records).toHaveLength(40)
  expect((await store.lanes.states()).size).toBe(0)
})

test('a record that is saved with the end replaces the one that waits to be written, and is in its lists', async () => {
  await using store = await open('replaces')
  const invocation = sampleInvocation()
  const record = sampleRecord({ id: invocation.id, trigger: 'async', state: 'failed' })
  await store.lanes.add(invocation)
  const claim = (await store.lanes.take(NAME))!
  store.records.write({ ...record, state: 'running' })
  await claim.completeAndTake(record)
  expect(await store.records.get(invocation.id)).toEqual(record)
  expect((await store.records.list({ function: NAME, state: 'failed', limit: 10 })).records).toHaveLength(1)
  expect((await store.records.list({ function: NAME, state: 'running', limit: 10 })).records).toHaveLength(0)
})

test('whoever has lost the lease neither ends the job nor saves its record, and others of the same command do', async () => {
  await using store = await open('lost')
  const [lost, held] = [sampleInvocation(), sampleInvocation()]
  await store.lanes.addMany([lost, held])
  const claims = (await Promise.all([store.lanes.take(NAME), store.lanes.take(NAME)])) as Claim[]
  await redis.set(`lost:{fn:hello}:lane:${lost.id}:lock`, 'of another one')
  const ends = await Promise.allSettled(
    claims.map((claim) => claim.complete(sampleRecord({ id: claim.invocation.id, trigger: 'async' }))),
  )
  expect(ends.map(({ status }) => status)).toEqual(['rejected', 'fulfilled'])
  expect(ends[0]).toMatchObject({ reason: { code: 'conflict' } })
  expect(await store.records.get(lost.id)).toBeUndefined()
  expect(await store.records.get(held.id)).toMatchObject({ id: held.id })
  expect([await store.lanes.has(NAME, lost.id), await store.lanes.has(NAME, held.id)]).toEqual([true, false])
})

test('an end that Redis refuses as such leaves the claim to be put back', async () => {
  await using store = await open('refused')
  const invocation = sampleInvocation()
  await store.lanes.add(invocation)
  const claim = (await store.lanes.take(NAME))!
  const record = sampleRecord({ id: invocation.id, trigger: 'async' })
  // Of another kind than the index is.
  await redis.set('refused:{all}:records', 'x')
  await expect(claim.complete(record)).rejects.toMatchObject({ code: 'internal' })
  expect(claim.lost.aborted).toBe(false)
  await claim.release(0)
  await redis.del('refused:{all}:records')
  const again = (await store.lanes.take(NAME))!
  expect([again.attempt, again.takeovers]).toEqual([1, 0])
  await again.complete(record)
  expect(await store.records.get(invocation.id)).toEqual(record)
})

test('a job without data, as nobody of ours leaves one, does not stop those behind it', async () => {
  await using store = await open('empty')
  const [broken, whole] = [sampleInvocation(), sampleInvocation()]
  await store.lanes.addMany([broken, whole])
  await redis.del(`empty:{fn:hello}:lane:${broken.id}`)
  expect((await store.lanes.take(NAME))?.invocation.id).toBe(whole.id)
  expect(await redis.lrange('empty:{fn:hello}:lane:active', 0, -1)).toEqual([whole.id])
})
