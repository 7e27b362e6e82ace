import { describe, expect, test } from 'vitest'

import type { Call } from '../house.ts'
import { testHouse, versionOf } from '../house.ts'
import { settle } from '../manual-clock.ts'

const NONE = { starting: 0, idle: 0, paused: 0, hibernated: 0, busy: 0, draining: 0, generic: 0 }
const kinds = (calls: readonly Call[]): (string | undefined)[] =>
  calls.map(({ completion, error }) => completion?.outcome.kind ?? error?.code)
const times = <T>(count: number, make: () => T): T[] => Array.from({ length: count }, make)

describe('a burst', () => {
  test('of short calls on a cold function starts one sandbox', async () => {
    const { clock, driver, call } = testHouse({ script: { createMs: 150 } })
    const version = versionOf('burst')
    const calls = times(32, () => call(version, '/hello'))
    await clock.pass(150)
    expect(kinds(calls)).toEqual(Array(32).fill('responded'))
    expect(driver.created).toBe(1)
    expect(calls[0]?.completion?.start).toEqual({ kind: 'cold', queueMs: 0, startMs: 150 })
    expect(calls[31]?.completion?.start.kind).toBe('warm')
  })

  test('of long calls starts what they are worth, and never more than the cap', async () => {
    const { clock, driver, call } = testHouse({ script: { createMs: 150 } })
    const version = versionOf('burst', { maxSandboxes: 4, timeoutMs: 5000 })
    const calls = times(8, () => call(version, '/sleep?ms=1000'))
    await clock.pass(750)
    expect(driver.sandboxes.size).toBe(4)
    await clock.pass(5000)
    expect(kinds(calls)).toEqual(Array(8).fill('responded'))
    expect(driver.peak).toBe(4)
  })

  test('fills the slots of a sandbox before it starts another one', async () => {
    const { clock, driver, call } = testHouse({ script: { createMs: 100 } })
    const version = versionOf('burst', { concurrency: 8 })
    const calls = times(8, () => call(version, '/sleep?ms=500'))
    await clock.pass(600)
    expect(kinds(calls)).toEqual(Array(8).fill('responded'))
    expect(calls.map(({ completion }) => completion?.start.kind)).toEqual(Array(8).fill('cold'))
    expect(driver.created).toBe(1)
  })
})

describe('waiting', () => {
  test('is first in, first out', async () => {
    const { clock, call } = testHouse()
    const version = versionOf('fifo', { maxSandboxes: 1 })
    const done: number[] = []
    const calls = times(5, () => call(version, '/sleep?ms=10'))
    for (const [index, { done: over }] of calls.entries()) void over.then(() => done.push(index))
    await clock.pass(100)
    expect(done).toEqual([0, 1, 2, 3, 4])
    expect(calls[3]?.completion?.timings).toMatchObject({ queueMs: 30, startMs: 0, runMs: 10 })
  })

  test('ends at its limit with wait-timed-out', async () => {
    const { clock, call } = testHouse({ maxWaitMs: 200 })
    const version = versionOf('slow', { maxSandboxes: 1 })
    const running = call(version, '/sleep?ms=900')
    const waiting = call(version, '/hello')
    await clock.pass(200)
    expect(waiting.error).toMatchObject({ code: 'wait-timed-out', status: 503, retryAfterS: expect.any(Number) })
    await clock.pass(700)
    expect(kinds([running])).toEqual(['responded'])
  })

  test('is refused with queue-full when too many wait', async () => {
    const { clock, call } = testHouse({ maxWaiting: 2 })
    const version = versionOf('slow', { maxSandboxes: 1 })
    call(version, '/sleep?ms=900')
    await settle()
    times(2, () => call(version, '/hello'))
    const refused = call(version, '/hello')
    await clock.pass(0)
    expect(refused.error).toMatchObject({ code: 'queue-full', status: 429, retryAfterS: expect.any(Number) })
  })

  test('for a sandbox that is starting is not waiting for room', async () => {
    const { clock, call } = testHouse({ script: { createMs: 500 }, maxWaiting: 0, maxWaitMs: 0 })
    const version = versionOf('strict', { maxSandboxes: 1 })
    const first = call(version, '/sleep?ms=100')
    const second = call(version, '/hello')
    await clock.pass(550)
    const third = call(version, '/hello')
    await clock.pass(50)
    expect(kinds([first, second, third])).toEqual(['responded', 'queue-full', 'queue-full'])
  })

  test('ends when the caller cancels, and the others keep their places', async () => {
    const { clock, invoker, call } = testHouse()
    const version = versionOf('slow', { maxSandboxes: 1 })
    call(version, '/sleep?ms=100')
    await settle()
    const caller = new AbortController()
    const cancelled = call(version, '/hello', caller.signal)
    const other = call(version, '/hello')
    caller.abort()
    await settle()
    expect(cancelled.completion?.outcome).toEqual({ kind: 'cancelled' })
    expect(invoker.activity(version).waiting).toBe(1)
    await clock.pass(100)
    expect(kinds([other])).toEqual(['responded'])
  })
})

describe('starting', () => {
  test('a sandbox that nobody waits for any more leaves nothing behind but an idle one', async () => {
    const { clock, driver, invoker, call } = testHouse({ script: { createMs: 100 } })
    const version = versionOf('gone')
    const caller = new AbortController()
    const cancelled = call(version, '/hello', caller.signal)
    await clock.pass(50)
    caller.abort()
    await clock.pass(60)
    expect(kinds([cancelled])).toEqual(['cancelled'])
    expect(invoker.activity(version).sandboxes).toEqual({ ...NONE, idle: 1 })
    await clock.pass(60_000)
    expect(driver.sandboxes.size).toBe(0)
    expect(invoker.activity(version).sandboxes).toEqual(NONE)
  })

  test('that fails is tried again, and the call is served', async () => {
    const { clock, driver, warnings, call } = testHouse({ script: { failCreates: 2 } })
    const served = call(versionOf('flaky'), '/hello')
    await clock.pass(1000)
    expect(kinds([served])).toEqual(['responded'])
    expect(driver.created).toBe(3)
    expect(warnings).toEqual(Array(2).fill('a sandbox could not be started'))
  })

  test('that keeps failing is told to those who wait', async () => {
    const { clock, driver, call } = testHouse({ script: { failCreates: 100 } })
    const calls = times(3, () => call(versionOf('dead'), '/hello'))
    await clock.pass(2000)
    expect(kinds(calls)).toEqual(Array(3).fill('sandbox-unavailable'))
    expect(driver.created).toBe(3)
    expect(calls[0]?.error?.message).toContain('scripted to fail')
  })

  test('that the code itself ends is the outcome of the calls', async () => {
    const { clock, driver, call } = testHouse({ script: { onLoad: 'exit' } })
    const calls = times(3, () => call(versionOf('broken'), '/hello'))
    await clock.pass(200)
    expect(calls.map(({ completion }) => completion?.outcome)).toEqual(
      times(3, () => ({ kind: 'exited', detail: 'exit code 7' })),
    )
    expect(driver.created).toBe(1)
    expect(driver.sandboxes.size).toBe(0)
  })

  test('for a runtime without a driver is refused at once', async () => {
    const { clock, driver, call } = testHouse()
    Object.assign(driver.capabilities, { runtimes: ['wasm'] })
    const refused = call(versionOf('none'), '/hello')
    await clock.pass(0)
    expect(refused.error).toMatchObject({ code: 'driver-unavailable', status: 503 })
  })
})

describe('an idle sandbox', () => {
  test('is used again, the most recent one first, so that the others expire', async () => {
    const { clock, driver, invoker, call } = testHouse({ script: { createMs: 100 } })
    const version = versionOf('idle', { keepAliveMs: 1000 })
    times(3, () => call(version, '/sleep?ms=500'))
    await clock.pass(1000)
    expect(driver.sandboxes.size).toBe(3)
    for (let i = 0; i < 5; i++) {
      call(version, '/hello')
      await clock.pass(300)
    }
    expect(invoker.activity(version).sandboxes).toEqual({ ...NONE, idle: 1 })
    expect(driver.sandboxes.size).toBe(1)
  })

  test('that dies is gone at once, and the next call gets another', async () => {
    const { clock, driver, invoker, call } = testHouse()
    const version = versionOf('idle')
    call(version, '/hello')
    await clock.pass(0)
    const [sandbox] = driver.sandboxes
    sandbox?.die({ cause: 'exited', detail: 'exit code 1' })
    await settle()
    expect(invoker.activity(version).sandboxes).toEqual(NONE)
    const next = call(version, '/hello')
    await clock.pass(0)
    expect(next.completion?.start.kind).toBe('cold')
  })

  test('stays when minSandboxes wants it, and is replaced when it dies', async () => {
    const { clock, driver, invoker } = testHouse()
    const version = versionOf('kept', { minSandboxes: 2, keepAliveMs: 100 })
    invoker.prepare(version)
    await clock.pass(1000)
    expect(driver.sandboxes.size).toBe(2)
    const [sandbox] = driver.sandboxes
    sandbox?.die({ cause: 'exited', detail: 'exit code 1' })
    await clock.pass(1000)
    expect(driver.sandboxes.size).toBe(2)
    invoker.retire(version.function, undefined)
    await clock.pass(0)
    expect(driver.sandboxes.size).toBe(0)
  })

  test('goes at once when keepAliveMs is 0', async () => {
    const { clock, driver, call } = testHouse()
    const served = call(versionOf('brief', { keepAliveMs: 0 }), '/hello')
    await clock.pass(1)
    expect(kinds([served])).toEqual(['responded'])
    expect(driver.sandboxes.size).toBe(0)
  })
})

describe('memory', () => {
  test('is never used beyond the budget: idle sandboxes of others make room', async () => {
    const { clock, driver, invoker, call } = testHouse({ memoryMiB: 300, script: { createMs: 10, disposeMs: 50 } })
    const names = ['a', 'b', 'c']
    for (const name of names) call(versionOf(name), '/hello')
    await clock.pass(10)
    call(versionOf('a'), '/hello')
    await clock.pass(0)
    const newcomer = call(versionOf('d'), '/hello')
    await clock.pass(100)
    expect(kinds([newcomer])).toEqual(['responded'])
    expect(driver.peak).toBe(3)
    // `a` was called twice: it is worth more than `b` and `c`.
    expect(invoker.activity(versionOf('a')).sandboxes.idle).toBe(1)
  })

  test('that others are using is waited for, and given over in time', async () => {
    const { clock, driver, call } = testHouse({ memoryMiB: 200 })
    const busy = versionOf('busy', { concurrency: 2, timeoutMs: 20_000 })
    const long = times(4, () => call(busy, '/sleep?ms=3000'))
    await clock.pass(300)
    const newcomer = call(versionOf('newcomer'), '/hello')
    await clock.pass(2000)
    expect(kinds([newcomer])).toEqual([undefined])
    await clock.pass(10_000)
    expect(kinds([...long, newcomer])).toEqual(Array(5).fill('responded'))
    expect(driver.peak).toBeLessThanOrEqual(2)
  })
})

describe('a new version', () => {
  test('takes over without a failed call, and the old one goes with its last', async () => {
    const { clock, driver, invoker, call } = testHouse()
    const old = versionOf('app', { maxSandboxes: 1 })
    const next = versionOf('app', { maxSandboxes: 1 }, 2)
    const running = times(3, () => call(old, '/sleep?ms=100'))
    await clock.pass(50)
    invoker.retire(old.function, next.number)
    const fresh = call(next, '/hello')
    const late = call(old, '/hello')
    await clock.pass(1000)
    expect(kinds([...running, fresh, late])).toEqual(Array(5).fill('responded'))
    expect(invoker.activity(old).sandboxes).toEqual({ ...NONE, idle: 1 })
    expect(driver.sandboxes.size).toBe(1)
  })
})

describe('draining', () => {
  test('refuses new calls, finishes those that run or wait, and leaves nothing', async () => {
    const { clock, driver, invoker, call } = testHouse()
    const version = versionOf('app', { maxSandboxes: 1 })
    const accepted = times(3, () => call(version, '/sleep?ms=100'))
    await clock.pass(50)
    const drained = invoker.drain(5000)
    const refused = call(version, '/hello')
    await clock.pass(1000)
    await drained
    expect(kinds(accepted)).toEqual(Array(3).fill('responded'))
    expect(refused.error).toMatchObject({ code: 'shutting-down' })
    expect(driver.sandboxes.size).toBe(0)
    expect(clock.pending).toBe(0)
  })

  test('ends at its limit whatever still runs, waits or starts', async () => {
    const { clock, driver, invoker, call } = testHouse()
    const version = versionOf('app', { maxSandboxes: 1, timeoutMs: 60_000 })
    const running = call(version, '/hang')
    await clock.pass(0)
    const waiting = call(version, '/hello')
    driver.script.createMs = 60_000
    const starting = call(versionOf('other'), '/hello')
    await clock.pass(0)
    const drained = invoker.drain(500)
    await clock.pass(600)
    await drained
    expect(kinds([running, waiting, starting])).toEqual(['exited', 'shutting-down', 'shutting-down'])
    expect(driver.sandboxes.size).toBe(0)
    expect(clock.pending).toBe(0)
  })
})

describe('room', () => {
  test('is told for what would start at once, and only once per sandbox to come', async () => {
    const { clock, invoker, call } = testHouse({ script: { createMs: 100 }, memoryMiB: 200 })
    const version = versionOf('lane')
    expect(invoker.room(version)).toBe(1)
    call(version, '/sleep?ms=500')
    await settle()
    expect(invoker.hasRoom(version.function, version)).toBe(false)
    await clock.pass(100)
    expect(invoker.room(version)).toBe(1)
    call(version, '/sleep?ms=500')
    await clock.pass(200)
    expect(invoker.room(version)).toBe(0)
    let told = 0
    using _listener = invoker.onRoom(() => (told += 1))
    await clock.pass(1000)
    expect(told).toBeGreaterThan(0)
    expect(invoker.room(version)).toBe(2)
  })
})
