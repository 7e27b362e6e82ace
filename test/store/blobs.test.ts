import { randomBytes } from 'node:crypto'

import { Redis } from 'ioredis'
import { afterAll, beforeAll, expect, test } from 'vitest'

import { RedisBlobStore } from '#store/blobs'
import { parseRedisUrl } from '#store/connect'
import { keysWith } from '#store/keys'
import { startTestRedis, type TestRedis } from '#test/redis'

import { eventually } from './samples.ts'

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

function open(prefix: string, blobGraceMs = 60_000) {
  const keys = keysWith(prefix)
  return { keys, blobs: new RedisBlobStore(redis, keys, { blobGraceMs }) }
}

async function put(blobs: RedisBlobStore, bytes: Uint8Array, signal: AbortSignal) {
  const [file] = await blobs.putAll(new Map([['a', bytes]]), signal)
  return file!
}

test('blobs come back as they were put, text, binary and empty', async ({ signal }) => {
  const { blobs } = open('round')
  const files = new Map([
    ['a.txt', Buffer.from('x'.repeat(100_000))],
    ['b.bin', randomBytes(5_000)],
    ['dir/c', Buffer.alloc(0)],
  ])
  const stored = await blobs.putAll(files, signal)
  expect(stored.map((file) => [file.path, file.size])).toEqual([
    ['a.txt', 100_000],
    ['b.bin', 5_000],
    ['dir/c', 0],
  ])
  for (const { path, digest } of stored) expect(await blobs.get(digest, signal)).toEqual(files.get(path))
})

test('compressible bytes are stored compressed', async ({ signal }) => {
  const { blobs, keys } = open('packed')
  const { digest } = await put(blobs, Buffer.from('serverless '.repeat(10_000)), signal)
  expect(await redis.strlen(keys.blob(digest))).toBeLessThan(2_000)
})

test('a blob that was damaged in Redis is refused', async ({ signal }) => {
  const { blobs, keys } = open('damaged')
  const { digest } = await put(blobs, Buffer.from('good'), signal)
  await redis.set(keys.blob(digest), Buffer.from('\0evil'))
  await expect(blobs.get(digest, signal)).rejects.toMatchObject({ code: 'internal' })
  await redis.set(keys.blob(digest), Buffer.from('\u0001not zstd'))
  await expect(blobs.get(digest, signal)).rejects.toMatchObject({ code: 'internal' })
  await redis.del(keys.blob(digest))
  await expect(blobs.get(digest, signal)).rejects.toMatchObject({ code: 'internal' })
})

test('a blob stays while anyone retains it and expires after the last release', async ({ signal }) => {
  const { blobs, keys } = open('refs', 30)
  const { digest } = await put(blobs, Buffer.from('shared'), signal)
  await blobs.retain([digest], 'one')
  await blobs.retain([digest], 'two')
  await blobs.release([digest], 'one')
  await blobs.release([digest], 'one')
  expect(await redis.pttl(keys.blob(digest))).toBe(-1)
  await blobs.release([digest], 'two')
  await eventually(async () => (await redis.exists(keys.blob(digest))) === 0)
  expect(await redis.keys('refs:*')).toEqual([])
})

test('a blob that is put again while nobody retains it gets a new grace period', async ({ signal }) => {
  const { blobs, keys } = open('grace')
  const { digest } = await put(blobs, Buffer.from('again'), signal)
  await redis.pexpire(keys.blob(digest), 5_000)
  await put(blobs, Buffer.from('again'), signal)
  expect(await redis.pttl(keys.blob(digest))).toBeGreaterThan(5_000)
})

test('retaining blobs of which one is gone keeps none', async ({ signal }) => {
  const { blobs, keys } = open('gone')
  const here = await put(blobs, Buffer.from('here'), signal)
  const gone = await put(blobs, Buffer.from('gone'), signal)
  await redis.del(keys.blob(gone.digest))
  await expect(blobs.retain([here.digest, gone.digest], 'x')).rejects.toMatchObject({ code: 'conflict' })
  expect(await redis.pttl(keys.blob(here.digest))).toBeGreaterThan(0)
})
