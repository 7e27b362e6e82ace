// Schedules on a real store. Their broker is the clock, so that most of the contract of sources says nothing about them.
import { afterAll, beforeAll, expect, test } from 'vitest'

import { startTestRedis, type TestRedis } from '#test/redis'

import { TriggerHouse } from './trigger-house.ts'

const WAIT = { timeout: 30_000, interval: 50 }
let redis: TestRedis
beforeAll(async () => {
  redis = await startTestRedis()
})
afterAll(() => redis[Symbol.asyncDispose]())

test('two processes that both serve a schedule start each run once', { timeout: 60_000 }, async () => {
  // Both have the same owner, so that both lead: as when one has stalled and does not know that it is over.
  await using one = await TriggerHouse.open(redis.url, 'both')
  await using two = await TriggerHouse.open(redis.url, 'both')
  await one.put('tick', { kind: 'schedule', source: { every: '1s' } })
  const times = (): string[] => [...one.runs, ...two.runs].map(({ events }) => String(events[0]?.attributes.time))
  await expect.poll(() => times().length, WAIT).toBeGreaterThanOrEqual(4)
  await Promise.all([one.triggers[Symbol.asyncDispose](), two.triggers[Symbol.asyncDispose]()])
  expect(new Set(times()).size).toBe(times().length)
  expect(await one.status('tick')).toMatchObject({ invocations: times().length })
})

test('a schedule wakes a function that has no sandbox, and goes on after a restart', { timeout: 60_000 }, async () => {
  {
    await using house = await TriggerHouse.open(redis.url, 'restart')
    await house.put('tick', { kind: 'schedule', source: { every: '1s', data: '{"n":1}' } })
    expect(house.driver.sandboxes.size).toBe(0)
    await expect.poll(() => house.texts, WAIT).toContain('{"n":1}')
  }
  await using house = await TriggerHouse.open(redis.url, 'restart')
  await expect.poll(() => house.texts, WAIT).toContain('{"n":1}')
  expect(await house.status('tick')).toMatchObject({ state: 'listening', nextAt: expect.any(Number) })
})
