import { Redis } from 'ioredis'
import { expect, test } from 'vitest'

import { systemClock } from '#core/clock'
import type { FunctionName, LaneName } from '#core/ids'
import { connect } from '#store/connect'
import { keysWith } from '#store/keys'
import { Doorbell } from '#store/lanes/doorbell'
import { STORE_DEFAULTS } from '#store/settings'
import { startTestRedis, type TestRedis } from '#test/redis'

import { eventually, NAME } from '../samples.ts'

const keys = keysWith('bell')

async function open(server: TestRedis, waiting: () => number) {
  const redis = await connect(server.url, 'shared', STORE_DEFAULTS)
  const blocking = await connect(server.url, 'blocking', STORE_DEFAULTS)
  const context = { redis, keys, clock: systemClock, sweepMs: 5_000, waiting: async () => waiting() }
  const doorbell = new Doorbell(context)
  const close = (): void => {
    doorbell[Symbol.dispose]()
    for (const connection of [redis, blocking]) connection.disconnect()
  }
  return { redis, blocking, doorbell, [Symbol.dispose]: close }
}

function bells(redis: Redis): Promise<string[]> {
  return redis.zrange(keys.bells, '0', '-1')
}

test('a lane rings once however often it was rung, and lanes are heard in the order in which they rang', async () => {
  await using server = await startTestRedis()
  using bell = await open(server, () => 0)
  for (const name of ['b', 'a', 'b', 'c', 'b'] as FunctionName[]) {
    bell.doorbell.ring(name)
    await eventually(async () => (await bells(bell.redis)).includes(name))
  }
  const heard: LaneName[] = []
  const stop = new AbortController()
  const done = bell.doorbell.listen(bell.blocking, (name) => heard.push(name), stop.signal)
  await eventually(() => heard.length === 3)
  stop.abort()
  await done
  expect(heard).toEqual(['b', 'a', 'c'])
})

test('what rings while Redis is away rings when it is back', async () => {
  await using server = await startTestRedis()
  using bell = await open(server, () => 0)
  await server.kill()
  bell.doorbell.ring(NAME)
  await bell.redis.ping().catch(() => {})
  bell.doorbell.ring('other' as FunctionName)
  await server.restart()
  await eventually(async () => (await bells(bell.redis).catch(() => [])).length === 2)
  // The sweep will look at them, too.
  expect(await bell.redis.zcard(keys.due)).toBe(2)
})

test('a bell that nobody answers rings again, and one that was answered does not', async () => {
  await using server = await startTestRedis()
  let waiting = 1
  using bell = await open(server, () => waiting)
  let heard = 0
  const stop = new AbortController()
  const done = bell.doorbell.listen(bell.blocking, () => heard++, stop.signal)
  bell.doorbell.ring(NAME)
  await eventually(() => heard >= 3)
  expect(bell.doorbell.isQuiet(NAME)).toBe(false)
  waiting = 0
  bell.doorbell.taken(NAME, bell.doorbell.bellsOf(NAME), 0)
  await eventually(() => bell.doorbell.isQuiet(NAME))
  stop.abort()
  await done
})

test('an answer from before a bell does not make the lane quiet', async () => {
  await using server = await startTestRedis()
  using bell = await open(server, () => 1)
  let heard = 0
  const stop = new AbortController()
  const done = bell.doorbell.listen(bell.blocking, () => heard++, stop.signal)
  const before = bell.doorbell.bellsOf(NAME)
  bell.doorbell.ring(NAME)
  await eventually(() => heard > 0)
  bell.doorbell.nothing(NAME, before)
  expect(bell.doorbell.isQuiet(NAME)).toBe(false)
  stop.abort()
  await done
})

test('listening ends at once although it waits for a bell', async () => {
  await using server = await startTestRedis()
  using bell = await open(server, () => 0)
  const stop = new AbortController()
  const done = bell.doorbell.listen(bell.blocking, () => {}, stop.signal)
  await eventually(async () => String(await bell.redis.client('LIST')).includes('cmd=bzpopmin'))
  stop.abort()
  // Without the unblocking it would end after five seconds: then the connection has had a time-out of its own.
  const began = performance.now()
  await done
  expect(performance.now() - began).toBeLessThan(4_000)
})
