// The idle ladder in the pool: a whole invoker on the fake driver, on a clock of the test's own.
import { describe, expect, test } from 'vitest'

import { NO_LADDER } from '#invoker/pool/descend'

import type { Call } from '../house.ts'
import { KEEP_ALIVE_MS, kept, kinds, leftAlone, NONE, restful, times } from './restful.ts'

describe('an idle sandbox', () => {
  test('is paused, then hibernated, then gone', async () => {
    const house = restful()
    const version = kept('idle')
    const counts = () => house.invoker.activity(version).sandboxes
    await leftAlone(house, version, 4999)
    expect(counts()).toEqual({ ...NONE, idle: 1 })
    await house.clock.pass(1)
    expect(counts()).toEqual({ ...NONE, paused: 1 })
    expect([...house.driver.sandboxes].map(({ stopped }) => stopped)).toEqual([true])
    expect(house.invoker.activity(version).memory).toEqual({ paused: { countedMiB: 100 } })
    await house.clock.pass(55_000)
    expect(counts()).toEqual({ ...NONE, hibernated: 1 })
    expect([...house.driver.sandboxes].map(({ hibernated }) => hibernated)).toEqual([true])
    expect(house.invoker.activity(version).memory).toEqual({
      hibernated: { countedMiB: 3, residentBytes: 3 * 1024 * 1024 },
    })
    await house.clock.pass(KEEP_ALIVE_MS - 60_001)
    expect(counts()).toEqual({ ...NONE, hibernated: 1 })
    await house.clock.pass(1)
    expect(counts()).toEqual(NONE)
    expect(house.driver.sandboxes.size).toBe(0)
  })

  test('waits its turn to be hibernated, and is woken at once meanwhile', async () => {
    const house = restful({ hibernateMs: 100 })
    const [a, b] = [kept('a'), kept('b')]
    house.call(a, '/hello')
    await leftAlone(house, b, 60_050)
    expect([a, b].map((each) => house.invoker.activity(each).sandboxes.hibernated)).toEqual([0, 0])
    const call = house.call(b, '/hello')
    await house.clock.pass(0)
    expect(call.completion?.start).toMatchObject({ kind: 'warm', startMs: 0 })
    await house.clock.pass(60)
    expect([a, b].map((each) => house.invoker.activity(each).sandboxes.hibernated)).toEqual([1, 0])
  })

  test('is hibernated once, however often its function is looked at meanwhile', async () => {
    const house = restful({ hibernateMs: 3000 })
    const version = kept('slow', { concurrency: 1, timeoutMs: 30_000 })
    house.call(version, '/sleep?ms=2000')
    house.call(version, '/sleep?ms=3000')
    await house.clock.pass(63_000)
    const sleeping = [...house.driver.sandboxes].map(({ hibernations }) => hibernations)
    await house.clock.pass(20_000)
    expect(sleeping).toEqual([1, 0])
    expect([...house.driver.sandboxes].map(({ hibernations }) => hibernations)).toEqual([1, 1])
  })

  test('says until when it stays although it sleeps', async () => {
    const house = restful()
    await leftAlone(house, kept('idle'), 60_000)
    expect(house.invoker.activity(kept('idle')).keepAlive.until).toBeGreaterThan(house.clock.now())
  })

  test.each([
    ['paused', 10_000, { resumeMs: 2 }, 2],
    ['hibernated', 100_000, { resumeMs: 28 }, 28],
  ] as const)('that is %s is woken for a call, which says what it took', async (from, ms, script, wakeMs) => {
    const house = restful(script)
    const version = kept('idle')
    await leftAlone(house, version, ms)
    const call = house.call(version, '/state')
    await house.clock.pass(wakeMs)
    expect(call.completion).toMatchObject({ start: { kind: 'warm', queueMs: 0, startMs: wakeMs } })
    expect(house.driver.created).toBe(1)
    expect(house.invoker.activity(version)).toMatchObject({
      sandboxes: { idle: 1 },
      memory: { idle: { countedMiB: 100 } },
      wakes: { [from]: { count: 1, totalMs: wakeMs, lastMs: wakeMs, medianMs: wakeMs } },
    })
    expect(house.invoker.sandboxes()).toMatchObject([{ wakes: { [from]: { count: 1 } } }])
    await house.clock.pass(5000)
    expect(house.invoker.activity(version).sandboxes).toEqual({ ...NONE, paused: 1 })
  })

  test('that was woken once is woken again and again', async () => {
    const house = restful({ resumeMs: 1 })
    const version = kept('again')
    await leftAlone(house, version, 10_000)
    const calls: Call[] = []
    for (let i = 0; i < 5; i++) {
      calls.push(house.call(version, '/hello'))
      await house.clock.pass(70_000 * (i % 2) + 10_000)
    }
    expect(kinds(calls)).toEqual(Array(5).fill('responded'))
    expect(house.driver.created).toBe(1)
    expect(house.invoker.activity(version).wakes).toMatchObject({ paused: { count: 3 }, hibernated: { count: 2 } })
  })

  test('stays awake where the driver cannot pause, and where it is off', async () => {
    for (const house of [restful({ rests: false }), restful({}, { ladder: NO_LADDER })]) {
      await leftAlone(house, kept('awake'), 100_000)
      expect(house.invoker.activity(kept('awake')).sandboxes).toEqual({ ...NONE, idle: 1 })
    }
  })

  test('of minSandboxes is paused, but neither hibernated nor gone', async () => {
    const house = restful()
    const version = kept('least', { minSandboxes: 1, keepAliveMs: 1000 })
    house.invoker.prepare(version)
    await house.clock.pass(3_600_000)
    expect(house.invoker.activity(version).sandboxes).toEqual({ ...NONE, paused: 1 })
    expect(house.driver.created).toBe(1)
  })

  test('that is kept for a latency objective stays awake', async () => {
    const house = restful()
    const version = kept('prompt', { targetLatencyMs: 20 })
    for (let i = 0; i < 30; i++) {
      house.call(version, '/sleep?ms=5')
      await house.clock.pass(300)
    }
    await house.clock.pass(120_000)
    expect(house.invoker.activity(version).sandboxes).toEqual({ ...NONE, idle: 1 })
  })

  test('of a version that was superseded goes, asleep as it is', async () => {
    const house = restful()
    await leftAlone(house, kept('app'), 10_000)
    house.invoker.retire(kept('app').function, kept('app', {}, 2).number)
    await house.clock.pass(1)
    expect(house.driver.sandboxes.size).toBe(0)
  })

  test('is drained, asleep or on its way, and leaves no timer', async () => {
    const house = restful({ pauseMs: 50, hibernateMs: 50 })
    await leftAlone(house, kept('asleep'), 70_000)
    house.call(kept('falls'), '/hello')
    await house.clock.pass(150 + 5020)
    expect(house.invoker.activity(kept('falls')).sandboxes).toEqual({ ...NONE, paused: 1 })
    const drained = house.invoker.drain(1000)
    await house.clock.pass(2000)
    await drained
    expect(house.driver.sandboxes.size).toBe(0)
    await house.clock.pass(20_000)
    expect(house.clock.pending).toBe(0)
  })
})

describe('what must not be stopped', () => {
  test('a sandbox whose call goes on after its response (waitUntil)', async () => {
    const house = restful()
    const version = kept('later')
    const call = house.call(version, '/later?ms=800')
    const other = house.call(version, '/later?ms=900')
    await house.clock.pass(150)
    // The fake driver throws when it is paused under a call.
    house.driver.script.pauseMs = 0
    await house.clock.pass(20_000)
    expect([call, other].map(({ sink }) => sink.lines.map(({ text }) => text))).toEqual([['later'], ['later']])
    expect(house.invoker.activity(version).sandboxes.paused).toBeGreaterThan(0)
  })

  test('a sandbox with a call, however long it runs', async () => {
    const house = restful()
    const version = kept('long', { timeoutMs: 600_000 })
    const call = house.call(version, '/stream?n=20&ms=10000')
    await house.clock.pass(100_000)
    expect(house.invoker.activity(version).sandboxes).toEqual({ ...NONE, busy: 1 })
    await house.clock.pass(100_000)
    expect(kinds([call])).toEqual(['responded'])
    expect(call.sink.chunks).toHaveLength(20)
  })

  test('a sandbox that is lent in the moment it is due', async () => {
    // At every step around the moment in which it is paused; the fake driver throws when a call comes to one that is stopped.
    for (let at = 4998; at <= 5004; at++) {
      const house = restful({ pauseMs: 2, resumeMs: 1 })
      const version = kept('race')
      await leftAlone(house, version, at)
      const calls = [house.call(version, '/hello'), house.call(version, '/sleep?ms=50')]
      await house.clock.pass(10_000)
      expect([at, ...kinds(calls)]).toEqual([at, 'responded', 'responded'])
    }
  })
})

describe('a call for a sandbox', () => {
  test.each([
    ['being paused', 5020, 30],
    ['being hibernated', 60_020, 80],
  ])('that is %s is served by it as soon as it can be', async (_, after, ms) => {
    const house = restful({ pauseMs: 50, hibernateMs: 100, resumeMs: 2 })
    const version = kept('moment')
    await leftAlone(house, version, after)
    const call = house.call(version, '/state')
    await house.clock.pass(ms + 2)
    expect(call.completion?.start).toEqual({ kind: 'warm', queueMs: 0, startMs: ms + 2 })
    expect(house.driver.created).toBe(1)
    expect(house.invoker.activity(version).sandboxes).toEqual({ ...NONE, idle: 1 })
  })

  test.each([
    ['paused', 5020],
    ['hibernated', 60_020],
  ])('that was being %s has it for itself', async (_, after) => {
    const house = restful({ pauseMs: 50, hibernateMs: 100 })
    const version = kept('moment', { timeoutMs: 10_000 })
    await leftAlone(house, version, after)
    const first = house.call(version, '/sleep?ms=5000')
    await house.clock.pass(200)
    expect(house.invoker.activity(version).sandboxes).toEqual({ ...NONE, busy: 1 })
    const second = house.call(version, '/hello')
    await house.clock.pass(6000)
    expect(kinds([first, second])).toEqual(['responded', 'responded'])
    expect(second.completion?.start.kind).toBe('cold')
  })

  test('that nobody waits for any more leaves it awake', async () => {
    const house = restful({ resumeMs: 100 })
    const version = kept('left')
    await leftAlone(house, version, 10_000)
    const caller = new AbortController()
    const call = house.call(version, '/hello', caller.signal)
    await house.clock.pass(50)
    expect(house.invoker.activity(version).sandboxes).toEqual({ ...NONE, starting: 1 })
    caller.abort()
    await house.clock.pass(60)
    expect(kinds([call])).toEqual(['cancelled'])
    expect(house.invoker.activity(version).sandboxes).toEqual({ ...NONE, idle: 1 })
  })

  test('goes to a warm one first, then to a paused one, then to a hibernated one', async () => {
    const house = restful({ resumeMs: 1 })
    const version = kept('order', { timeoutMs: 30_000, maxSandboxes: 3 })
    times(3, () => house.call(version, '/sleep?ms=20000'))
    await house.clock.pass(31_000)
    // The last one is used again, and the one before a while later.
    house.call(version, '/hello')
    await house.clock.pass(50_000)
    expect(house.invoker.activity(version).sandboxes).toMatchObject({ paused: 1, hibernated: 2 })
    const first = house.call(version, '/sleep?ms=1000')
    await house.clock.pass(1)
    expect(house.invoker.activity(version).sandboxes).toMatchObject({ busy: 1, hibernated: 2 })
    const more = times(2, () => house.call(version, '/sleep?ms=1000'))
    await house.clock.pass(40)
    expect(house.invoker.activity(version).sandboxes).toMatchObject({ busy: 3 })
    await house.clock.pass(1000)
    expect(kinds([first, ...more])).toEqual(Array(3).fill('responded'))
    expect(house.driver.created).toBe(3)
  })
})
