import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

import { expect, test } from 'vitest'

import { describeRedisUrl, parseRedisUrl } from '#store/connect'
import { openStore } from '#store/open'
import { startTestRedis } from '#test/redis'

import { eventually } from './samples.ts'

test.each([
  ['redis://10.0.0.1', { host: '10.0.0.1', port: 6379, db: 0 }],
  ['redis://u:p%40ss@host:7000/3', { username: 'u', password: 'p@ss', host: 'host', port: 7000, db: 3 }],
  ['redis://[::1]:6380', { host: '::1', port: 6380, db: 0 }],
  ['rediss://:secret@host', { password: 'secret', host: 'host', port: 6379, db: 0, tls: {} }],
  ['unix:///run/redis.sock', { path: '/run/redis.sock', db: 0 }],
  ['unix:///a%20b/redis.sock?db=2', { path: '/a b/redis.sock', db: 2 }],
  ['redis+unix:///run/redis.sock', { path: '/run/redis.sock', db: 0 }],
])('%s is understood', (url, address) => {
  expect(parseRedisUrl(url)).toEqual(address)
})

test.each(['', 'localhost:6379', 'http://host', 'unix://'])('%j is refused as a Redis URL', (url) => {
  expect(() => parseRedisUrl(url)).toThrow(/redis:\/\/host:port, rediss:\/\/host:port or unix:\/\/\/path: received/)
})

test('a description has neither user nor password', () => {
  expect(describeRedisUrl('redis://u:secret@host:7000/3')).toBe('host:7000, database 3')
})

test('opening a store where nothing answers fails as store-unavailable and names the place', async () => {
  const path = join(tmpdir(), 'hearth-nobody.sock')
  await expect(openStore({ url: `unix://${path}` })).rejects.toMatchObject({
    code: 'store-unavailable',
    message: expect.stringContaining(path),
  })
})

test('opening a store where something accepts and never answers fails in time', async () => {
  const server = createServer(() => {}).listen(0, '127.0.0.1')
  await eventually(() => server.address() !== null)
  const { port } = server.address() as { port: number }
  const url = `redis://:secret@127.0.0.1:${port}`
  const error = await openStore({ url, settings: { connectTimeoutMs: 100 } }).catch((thrown: unknown) => thrown)
  expect(error).toMatchObject({ code: 'store-unavailable', message: expect.stringContaining('127.0.0.1') })
  expect(String(error)).not.toContain('secret')
  server.close()
})

test('commands fail as store-unavailable while Redis is away and work when it is back, with the data', async () => {
  await using redis = await startTestRedis()
  await using store = await openStore({ url: redis.url })
  await store.ping()
  const [file] = await store.blobs.putAll(new Map([['a', Buffer.from('kept')]]), AbortSignal.timeout(5_000))
  await store.ping()
  // The append-only file is written with every turn of the event loop of Redis; only the fsync is once a second.
  await redis.kill()
  await expect(store.ping()).rejects.toMatchObject({ code: 'store-unavailable', retryAfterS: 1 })
  await redis.restart()
  await eventually(() =>
    store.ping().then(
      () => true,
      () => false,
    ),
  )
  expect(await store.blobs.get(file!.digest, AbortSignal.timeout(5_000))).toEqual(Buffer.from('kept'))
})
