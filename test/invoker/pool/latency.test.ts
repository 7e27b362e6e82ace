import { describe, expect, test } from 'vitest'

import { backlogMs, sandboxesFor } from '#invoker/pool/latency'
import { LatencyWatch } from '#invoker/pool/latency-watch'

import { testHouse, versionOf } from '../house.ts'

describe('sandboxesFor()', () => {
  const load = {
    targetMs: 200,
    callsPerS: 20,
    run: { meanMs: 100, p95Ms: 120 },
    startMs: 150,
    slots: 2,
    maxSandboxes: 100,
    maxByMemory: 100,
  }

  test.each([
    ['what the load takes, with headroom', {}, 3, '3 warm for 20 calls/s of 100 ms'],
    ['one for calls that are rare', { callsPerS: 0 }, 1, 'a start of 150 ms does not fit'],
    ['none where a start fits', { startMs: 50 }, 0, 'a start of 50 ms fits'],
    ['one where the run alone is too long', { run: { meanMs: 210, p95Ms: 250 } }, 1, 'more sandboxes cannot help'],
    ['none before the first call', { run: undefined }, 0, 'no call has been seen'],
    ['no more than maxSandboxes', { maxSandboxes: 2 }, 2, '3 warm would be needed'],
    ['no more than there is memory for', { maxByMemory: 1 }, 1, 'memory is for 1'],
  ])('is %s', (_, given, sandboxes, why) => {
    expect(sandboxesFor({ ...load, ...given })).toEqual({ sandboxes, why: expect.stringContaining(why) })
  })

  test.each([
    [0, 150, undefined],
    [200, 150, 50],
    [1000, 150, 150],
    [100, 150, 1],
  ])('backlogMs() with an objective of %d and starts of %d is %d', (targetMs, startMs, expected) => {
    expect(backlogMs(targetMs, startMs)).toBe(expected)
  })
})

describe('LatencyWatch', () => {
  test('has percentiles of the last calls, once there were enough', () => {
    const watch = new LatencyWatch(0)
    for (let i = 1; i < 20; i++) watch.called(i, i, 0)
    expect(watch.p95Ms).toBeUndefined()
    for (let i = 20; i <= 100; i++) watch.called(i, i, 0)
    expect(watch.p95Ms).toBe(95)
    expect(watch.run).toEqual({ meanMs: 50.5, p95Ms: 95 })
    for (let i = 0; i < 256; i++) watch.called(7, 7, 0)
    expect(watch.p95Ms).toBe(7)
  })

  test('follows the rate up at once and down slowly', () => {
    const watch = new LatencyWatch(0)
    for (let i = 0; i < 50; i++) watch.called(1, 1, 500)
    watch.look(1000)
    expect(watch.callsPerS).toBe(50)
    watch.look(2000)
    expect(watch.callsPerS).toBeCloseTo(35)
    for (let at = 3000; at < 60_000; at += 1000) watch.look(at)
    expect(watch.callsPerS).toBe(0)
    expect([watch.inUse(60_000), watch.inUse(25 * 3_600_000)]).toEqual([true, false])
  })
})

describe('a latency objective', () => {
  test('keeps as many sandboxes warm as the load takes, and says that it is met', async () => {
    const { clock, invoker, call } = testHouse({ script: { createMs: 500 } })
    const version = versionOf('fast', { targetLatencyMs: 200, keepAliveMs: 0, timeoutMs: 5000 })
    for (let i = 0; i < 400; i++) {
      call(version, '/sleep?ms=100')
      await clock.pass(50)
    }
    const { latency, sandboxes, starts } = invoker.activity(version)
    expect(latency).toMatchObject({ targetMs: 200, verdict: 'meets', sandboxes: 5 })
    expect(latency?.p95Ms).toBeLessThanOrEqual(200)
    expect(starts.cold).toBeLessThan(30)
    expect(sandboxes.idle + sandboxes.busy).toBeGreaterThanOrEqual(5)
    await clock.pass(60_000)
    expect(invoker.activity(version).sandboxes.idle).toBe(1)
    await clock.pass(26 * 3_600_000)
    expect(invoker.activity(version).sandboxes.idle).toBe(0)
  })

  test('that cannot be met says so, and why', async () => {
    const { clock, invoker, call } = testHouse()
    const version = versionOf('slow', { targetLatencyMs: 50, timeoutMs: 5000 })
    for (let i = 0; i < 30; i++) {
      call(version, '/sleep?ms=100')
      await clock.pass(200)
    }
    expect(invoker.activity(version).latency).toMatchObject({
      verdict: 'misses',
      p95Ms: 100,
      why: 'the run alone takes 100 ms of 50 ms: more sandboxes cannot help',
    })
  })

  test('is bounded by maxSandboxes', async () => {
    const { clock, driver, invoker, call } = testHouse({ script: { createMs: 500 } })
    const version = versionOf('capped', { targetLatencyMs: 200, maxSandboxes: 2, timeoutMs: 5000 })
    for (let i = 0; i < 200; i++) {
      call(version, '/sleep?ms=100')
      await clock.pass(50)
    }
    expect(driver.peak).toBe(2)
    expect(invoker.activity(version).latency?.why).toContain('maxSandboxes is 2')
  })
})
