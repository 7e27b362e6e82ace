import { Redis } from 'ioredis'
import { afterAll, beforeAll, expect, test } from 'vitest'

import type { FunctionName, VersionNumber } from '#core/ids'
import { parseSpec, retryPolicyOf } from '#core/spec'
import { parseRedisUrl } from '#store/connect'
import { openStore } from '#store/open'
import { startTestRedis, type TestRedis } from '#test/redis'

import { eventually, NAME, sampleVersion } from './samples.ts'

let server: TestRedis
beforeAll(async () => (server = await startTestRedis()))
afterAll(() => server[Symbol.asyncDispose]())

const open = (prefix: string) => openStore({ url: server.url, prefix })

test('a deploy makes a version live, and the same code again changes nothing', async () => {
  await using store = await open('deploy')
  const first = await store.functions.deploy(sampleVersion('a'), 1_000)
  expect(first).toMatchObject({ created: true, version: { number: 1, createdAt: 1_000 } })
  const again = await store.functions.deploy(sampleVersion('a'), 2_000)
  expect(again).toEqual({ created: false, version: first.version })
  await store.functions.deploy(sampleVersion('b'), 3_000)
  expect(await store.functions.get(NAME)).toEqual({ name: NAME, live: 2, createdAt: 1_000, updatedAt: 3_000 })
  // An older version's code is a new version: only the live one counts.
  expect((await store.functions.deploy(sampleVersion('a'), 4_000)).version.number).toBe(3)
  expect((await store.functions.versions(NAME)).map((version) => version.number)).toEqual([3, 2, 1])
  expect(await store.functions.version(NAME, 1 as VersionNumber)).toEqual(first.version)
  expect(await store.functions.version(NAME, 9 as VersionNumber)).toBeUndefined()
})

test('concurrent deploys from two processes get different numbers', async () => {
  await using one = await open('race')
  await using two = await open('race')
  const made = await Promise.all(
    Array.from({ length: 20 }, (_, index) =>
      (index % 2 ? one : two).functions.deploy(sampleVersion(`code ${index}`), index),
    ),
  )
  const numbers = made.map(({ version }) => version.number).toSorted((a, b) => a - b)
  expect(numbers).toEqual(Array.from({ length: 20 }, (_, index) => index + 1))
})

test('concurrent deploys of the same code make one version', async () => {
  await using store = await open('same')
  const made = await Promise.all(Array.from({ length: 10 }, () => store.functions.deploy(sampleVersion('a'), 1)))
  expect(made.filter(({ created }) => created)).toHaveLength(1)
  expect(new Set(made.map(({ version }) => version.number))).toEqual(new Set([1]))
})

test('functions are listed by name, and a removed one is gone with its versions', async () => {
  await using store = await open('list')
  for (const name of ['b', 'a', 'c'] as FunctionName[]) {
    await store.functions.deploy(sampleVersion('x', { function: name }), 1)
  }
  expect(await store.functions.remove('b' as FunctionName)).toBe(true)
  expect(await store.functions.remove('b' as FunctionName)).toBe(false)
  expect((await store.functions.list()).map((record) => record.name)).toEqual(['a', 'c'])
  const page = await store.functions.list({ after: 'a', limit: 1 })
  expect(page.map((record) => record.name)).toEqual(['c'])
  expect(await store.functions.get('b' as FunctionName)).toBeUndefined()
  expect(await store.functions.versions('b' as FunctionName)).toEqual([])
})

test('a function deployed again after its removal does not reuse version numbers', async () => {
  await using store = await open('again')
  await store.functions.deploy(sampleVersion('a'), 1)
  await store.functions.remove(NAME)
  expect(await store.functions.deploy(sampleVersion('a'), 2)).toMatchObject({ created: true, version: { number: 2 } })
  expect(await store.functions.get(NAME)).toMatchObject({ createdAt: 2 })
})

test('removal lets go of blobs that no other function needs', async ({ signal }) => {
  await using store = await openStore({ url: server.url, prefix: 'blobs', settings: { blobGraceMs: 200 } })
  const own = await store.blobs.putAll(new Map([['own', Buffer.from('own')]]), signal)
  const shared = await store.blobs.putAll(new Map([['shared', Buffer.from('shared')]]), signal)
  const other = 'other' as FunctionName
  await store.functions.deploy(sampleVersion('a', { source: own, artifact: shared }), 1)
  await store.functions.deploy(sampleVersion('a', { function: other, source: shared }), 1)
  await store.functions.remove(NAME)
  await eventually(() =>
    store.blobs.get(own[0]!.digest, signal).then(
      () => false,
      () => true,
    ),
  )
  expect(await store.blobs.get(shared[0]!.digest, signal)).toEqual(Buffer.from('shared'))
})

test('a deploy whose blobs have expired is refused and changes nothing', async () => {
  await using store = await open('expired')
  const source = [{ path: 'a', digest: sampleVersion('never put').digest, size: 1 }]
  await expect(store.functions.deploy(sampleVersion('a', { source }), 1)).rejects.toMatchObject({ code: 'conflict' })
  expect(await store.functions.list()).toEqual([])
})

test('changes reach every process, and a lost connection is told as undefined', async () => {
  await using own = await startTestRedis()
  await using one = await openStore({ url: own.url })
  await using two = await openStore({ url: own.url })
  const heard: (FunctionName | undefined)[] = []
  one.functions.onChange((name) => heard.push(name))
  await eventually(() => heard.length === 1)
  await two.functions.deploy(sampleVersion('a'), 1)
  await one.functions.remove(NAME)
  await eventually(() => heard.length === 3)
  expect(heard).toEqual([undefined, NAME, NAME])
  await own.kill()
  await own.restart()
  await eventually(() => heard.length === 4)
  expect(heard.at(-1)).toBeUndefined()
  await two.functions.deploy(sampleVersion('b'), 2)
  await eventually(() => heard.length === 5)
  expect(heard.at(-1)).toBe(NAME)
})

test('a version that was stored before a field of the spec existed has its default', async () => {
  await using store = await open('old')
  const { version } = await store.functions.deploy(sampleVersion('a'), 1_000)
  const redis = new Redis(parseRedisUrl(server.url))
  const stored = JSON.parse((await redis.hget('old:{fn:hello}:versions', '1'))!) as { spec: Record<string, unknown> }
  const later = ['retryBackoff', 'retryDelayMs', 'retryMaxDelayMs', 'weight', 'asyncConcurrency', 'onFailure']
  for (const field of later) delete stored.spec[field]
  await redis.hset(
    'old:{fn:hello}:versions',
    '1',
    JSON.stringify({ ...stored, spec: { ...stored.spec, maxAttempts: 9 } }),
  )
  redis.disconnect()
  const found = (await store.functions.version(NAME, 1 as VersionNumber))!
  expect(found).toEqual({ ...version, spec: { ...version.spec, maxAttempts: 9 } })
  expect(retryPolicyOf(found.spec)).toEqual({ ...retryPolicyOf(parseSpec({}, 'js')), maxAttempts: 9 })
})
