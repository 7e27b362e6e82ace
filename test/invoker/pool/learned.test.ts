// Keep-alive that learns, in the pool: a whole invoker on the fake driver and a clock of the test's own.
import { describe, expect, test } from 'vitest'

import type { FunctionVersion } from '#core/function'
import type { FunctionName } from '#core/ids'

import { type HouseOptions, testHouse, type TestHouse, versionOf } from '../house.ts'

const MINUTE = 60_000

function auto(name: string, spec: Readonly<Record<string, unknown>> = {}, number = 1): FunctionVersion {
  const { keepAlive: _, ...rest } = versionOf(name).spec
  const made = versionOf(name, { keepAliveMs: undefined, ...spec }, number)
  return { ...made, spec: { ...rest, ...made.spec, keepAlive: 'auto' } }
}

/** Calls so many times, each so long after the one before. */
async function habit({ clock, call }: TestHouse, version: FunctionVersion, times: number, everyMs: number) {
  for (let i = 0; i < times; i++) {
    call(version, '/hello')
    await clock.pass(everyMs)
  }
}

const loaded = ({ driver }: TestHouse): number => driver.sandboxes.size

describe('a function whose keepAlive is auto', () => {
  test('stays for ten minutes while nothing is known of its calls', async () => {
    const house = testHouse()
    await habit(house, auto('new'), 1, MINUTE)
    expect(loaded(house)).toBe(1)
    expect(house.invoker.activity(auto('new')).keepAlive).toMatchObject({ basis: 'standard', idleTimes: 0 })
    await house.clock.pass(9 * MINUTE - 1)
    expect(loaded(house)).toBe(1)
    await house.clock.pass(2)
    expect(loaded(house)).toBe(0)
  })

  test('that is called often stays for a minute and leaves', async () => {
    const house = testHouse()
    await habit(house, auto('often'), 100, 100)
    expect(loaded(house)).toBe(1)
    await house.clock.pass(65_000)
    expect(loaded(house)).toBe(1)
    await house.clock.pass(2000)
    expect(loaded(house)).toBe(0)
  })

  test('that is called every half hour is unloaded, and loaded before the next call', async () => {
    const house = testHouse({ script: { createMs: 150 } })
    const version = auto('timer')
    await habit(house, version, 30, 30 * MINUTE)
    const { keepAlive } = house.invoker.activity(version)
    expect(keepAlive).toMatchObject({ basis: 'histogram', idleTimes: 29 })
    const call = house.call(version, '/hello')
    await house.clock.pass(2000)
    expect(call.completion?.start.kind).toBe('warm')
    expect(loaded(house)).toBe(0)
    await house.clock.pass(20 * MINUTE)
    expect(loaded(house)).toBe(0)
    expect(house.invoker.activity(version).keepAlive?.loadAt).toBeGreaterThan(house.clock.now())
    await house.clock.pass(7 * MINUTE)
    expect(loaded(house)).toBe(1)
    await house.clock.pass(20 * MINUTE)
    expect(loaded(house)).toBe(0)
  })

  test('is loaded so early that its slow starts are over when the call comes', async () => {
    const house = testHouse({ script: { createMs: 100 }, maxWaitMs: 60_000 })
    const version = auto('timer')
    const every = 3.1 * MINUTE
    await habit(house, version, 30, every)
    // A tenth of three minutes is not enough for it any more.
    house.driver.script.createMs = 29_000
    await habit(house, version, 4, every)
    const { keepAlive } = house.invoker.activity(version)
    const call = house.call(version, '/hello')
    await house.clock.pass(0)
    expect(call.completion?.start).toEqual({ kind: 'warm', queueMs: 0, startMs: 0 })
    expect(keepAlive?.basis).toBe('histogram')
    await house.clock.pass(3 * MINUTE * 0.9 - 29_000 - 1)
    expect(house.invoker.activity(version).sandboxes.starting).toBe(0)
    await house.clock.pass(2)
    expect(house.invoker.activity(version).sandboxes.starting).toBe(1)
  })

  test('that is loaded ahead is paused, but not hibernated, until its call has come', async () => {
    const ladder = { pauseAfterMs: 5000, hibernateAfterMs: MINUTE }
    const house = testHouse({ script: { createMs: 150, rests: true, resumeMs: 20 }, ladder })
    const version = auto('timer')
    // Loaded at 27 min, and until 34.1.
    await habit(house, version, 30, 30 * MINUTE)
    house.call(version, '/hello')
    await house.clock.pass(29.5 * MINUTE)
    expect(house.invoker.activity(version).sandboxes).toMatchObject({ paused: 1, hibernated: 0 })
    await house.clock.pass(4 * MINUTE)
    expect(house.invoker.activity(version).sandboxes).toMatchObject({ paused: 1, hibernated: 0 })
    await house.clock.pass(MINUTE)
    expect(loaded(house)).toBe(0)
  })

  test('goes on after a restart where it was', async () => {
    const saved = new Map<FunctionName, string>()
    const save = async (histories: ReadonlyMap<FunctionName, string>) => {
      for (const [name, text] of histories) saved.set(name, text)
    }
    const version = auto('timer')
    const before = testHouse({ histories: { remembered: new Map(), save } })
    await habit(before, version, 30, 30 * MINUTE)
    before.call(version, '/hello')
    await before.clock.pass(5 * MINUTE)
    await before.invoker.drain(0)
    expect(saved.get(version.function)?.length).toBeLessThan(1024)

    const after = testHouse({ histories: { remembered: saved, save } })
    await after.clock.pass(before.clock.monotonic() + 10 * MINUTE)
    after.invoker.prepare(version)
    await after.clock.pass(10 * MINUTE)
    expect(loaded(after)).toBe(0)
    await after.clock.pass(4 * MINUTE)
    expect(loaded(after)).toBe(1)
    const call = after.call(version, '/hello')
    await after.clock.pass(100)
    expect(call.completion?.start.kind).toBe('warm')
  })

  test('costs no timer of its own while it is idle', async () => {
    const house = testHouse()
    for (let i = 0; i < 200; i++) house.call(auto(`f${i}`), '/hello')
    await house.clock.pass(11_000)
    expect(house.clock.pending).toBe(1)
  })

  test('lets go of sandboxes that only a burst needed', async () => {
    const house = testHouse()
    const version = auto('burst')
    for (let i = 0; i < 4; i++) house.call(version, '/sleep?ms=900')
    await house.clock.pass(1000)
    expect(loaded(house)).toBeGreaterThan(1)
    await house.clock.pass(5 * MINUTE)
    expect(loaded(house)).toBe(1)
  })

  test('does not keep for ever what no call has used', async () => {
    const house = testHouse({ script: { createMs: 100 } })
    const caller = new AbortController()
    house.call(auto('cancelled'), '/hello', caller.signal)
    await house.clock.pass(50)
    caller.abort()
    await house.clock.pass(100)
    expect(loaded(house)).toBe(1)
    await house.clock.pass(5 * MINUTE + 1000)
    expect(loaded(house)).toBe(0)
  })

  test('is forgotten when it is removed', async () => {
    const saved: string[] = []
    const save = async (histories: ReadonlyMap<FunctionName, string>) => void saved.push(...histories.keys())
    const house = testHouse({ histories: { remembered: new Map(), save } })
    await habit(house, auto('gone'), 3, 1500)
    house.invoker.retire('gone' as FunctionName, undefined)
    await house.clock.pass(20_000)
    expect([saved, loaded(house), house.clock.pending]).toEqual([[], 0, 0])
  })

  test('that cannot be saved is saved later', async () => {
    let fail = true
    const saved: string[] = []
    const save = async (histories: ReadonlyMap<FunctionName, string>) => {
      if (fail) throw new Error('away')
      saved.push(...histories.keys())
    }
    const options: HouseOptions = { histories: { remembered: new Map(), save } }
    const house = testHouse(options)
    await habit(house, auto('kept'), 1, 15_000)
    expect(house.warnings).toEqual(['idle times could not be saved'])
    fail = false
    await house.clock.pass(10_000)
    expect(saved).toEqual(['kept'])
  })
})

describe('prepare()', () => {
  test('starts minSandboxes of the live version, and the old one ends', async () => {
    const house = testHouse()
    house.invoker.prepare(auto('app', { minSandboxes: 2 }))
    await house.clock.pass(1000)
    expect(loaded(house)).toBe(2)
    const next = auto('app', { minSandboxes: 1 }, 2)
    house.invoker.retire(next.function, next.number)
    house.invoker.prepare(next)
    await house.clock.pass(1000)
    expect(house.invoker.activity(next).sandboxes).toMatchObject({ idle: 1 })
    expect(loaded(house)).toBe(1)
  })

  test('of a version that was superseded meanwhile does nothing', async () => {
    const house = testHouse()
    await habit(house, auto('app', {}, 2), 1, 100)
    house.invoker.retire('app' as FunctionName, auto('app', {}, 2).number)
    house.invoker.prepare(auto('app', { minSandboxes: 3 }))
    await house.clock.pass(1000)
    expect(loaded(house)).toBe(1)
  })

  test('of a function that wants nothing starts nothing', async () => {
    const house = testHouse()
    house.invoker.prepare(auto('app'))
    await house.clock.pass(1000)
    expect([loaded(house), house.clock.pending]).toEqual([0, 0])
  })
})

describe('maxSandboxes', () => {
  test('holds for the old and the new version together', async () => {
    const house = testHouse({ script: { createMs: 10 } })
    const spec = { maxSandboxes: 2, timeoutMs: 5000 }
    const [old, next] = [auto('app', spec), auto('app', spec, 2)]
    const calls = [1, 2, 3, 4].map(() => house.call(old, '/sleep?ms=400'))
    await house.clock.pass(300)
    house.invoker.retire(next.function, next.number)
    calls.push(...[1, 2, 3, 4].map(() => house.call(next, '/sleep?ms=400')))
    await house.clock.pass(6000)
    expect(calls.map(({ completion }) => completion?.outcome.kind)).toEqual(Array(8).fill('responded'))
    expect(house.driver.peak).toBe(2)
  })

  test('gives way by one when the old version does not come to its end', async () => {
    const house = testHouse()
    const spec = { maxSandboxes: 1, timeoutMs: 60_000 }
    const [old, next] = [auto('app', spec), auto('app', spec, 2)]
    house.call(old, '/sleep?ms=50000')
    await house.clock.pass(100)
    house.invoker.retire(next.function, next.number)
    const calls = [1, 2, 3].map(() => house.call(next, '/hello'))
    await house.clock.pass(900)
    expect(loaded(house)).toBe(1)
    await house.clock.pass(500)
    expect(calls.map(({ completion }) => completion?.outcome.kind)).toEqual(Array(3).fill('responded'))
    expect(house.driver.peak).toBe(2)
  })
})
