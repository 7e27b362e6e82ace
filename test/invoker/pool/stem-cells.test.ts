import { describe, expect, test } from 'vitest'

import type { FunctionVersion } from '#core/function'
import { type Demand, faded, kindOf, NO_DEMAND, started, stockOf } from '#invoker/pool/stock'

import { testHouse, versionOf } from '../house.ts'

/** As the functions that say nothing, but for what the tests of the pool want short. */
function nodeFunction(name: string, spec: Readonly<Record<string, unknown>> = {}): FunctionVersion {
  return versionOf(name, { runtime: 'node', memoryMiB: 256, concurrency: 16, ...spec })
}

function after(starts: number, everyMs: number): Demand {
  let demand = NO_DEMAND
  for (let i = 0; i < starts; i++) demand = started(demand, i * everyMs)
  return demand
}

describe('stockOf()', () => {
  const minute = 60_000

  test.each([
    ['nothing without demand', NO_DEMAND, ['auto', 0], 0],
    ['one after a start', after(1, 0), ['auto', 0], 1],
    ['one for half an hour', after(1, 0), ['auto', 30 * minute], 1],
    ['none after that', after(1, 0), ['auto', 31 * minute], 0],
    ['what a burst took', after(4, 0), ['auto', 0], 4],
    ['half of it half an hour later', after(4, 0), ['auto', 30 * minute], 2],
    ['one for starts that are far apart', after(20, minute), ['auto', 19 * minute], 1],
    ['no more than eight', after(100, 0), ['auto', 0], 8],
    ['a number of what is in demand', after(1, 0), [3, 0], 3],
    ['a number of nothing else', after(1, 0), [3, 60 * minute], 0],
  ] as const)('keeps %s', (_, demand, [size, now], expected) => {
    expect(stockOf({ demand, always: false }, size, now)).toBe(expected)
  })

  test('keeps one of what is always kept', () => {
    expect(stockOf({ demand: NO_DEMAND, always: true }, 'auto', 0)).toBe(1)
  })

  test('a clock that goes back fades nothing', () => {
    expect(faded({ burst: 2, peak: 3, at: 100 }, 50)).toMatchObject({ burst: 2, peak: 3 })
  })

  test('kindOf() is for all of a class of concurrency, and for one size of memory', () => {
    const spec = nodeFunction('a').spec
    expect(kindOf({ ...spec, concurrency: 1 })).toEqual(kindOf({ ...spec, concurrency: 16 }))
    expect(kindOf({ ...spec, concurrency: 17 }).concurrency).toBe(128)
    expect(kindOf({ ...spec, memoryMiB: 257 })).not.toEqual(kindOf(spec))
  })
})

describe('a stock', () => {
  test('turns a cold start into a specialized one, and what was taken is replaced', async () => {
    const { clock, driver, invoker, call } = testHouse({ script: { createMs: 500, loadMs: 5 }, stemCells: 1 })
    invoker.prepare(nodeFunction('one'))
    await clock.pass(600)
    expect(invoker.sandboxes()).toMatchObject([{ driver: 'fake', counts: { generic: 1, idle: 0 } }])
    expect(invoker.activity(nodeFunction('one')).sandboxes.generic).toBe(1)
    const first = call(nodeFunction('one'), '/hello')
    await clock.pass(5)
    expect(first.completion?.start).toEqual({ kind: 'specialized', queueMs: 0, startMs: 5 })
    await clock.pass(1000)
    expect(driver.sandboxes.size).toBe(2)
    expect(invoker.activity(nodeFunction('one')).sandboxes).toMatchObject({ generic: 1, idle: 1 })
    const second = call(nodeFunction('two', { concurrency: 3 }), '/state')
    await clock.pass(5)
    expect(second.completion?.start.kind).toBe('specialized')
    expect(invoker.activity(nodeFunction('two')).starts).toEqual({ cold: 0, specialized: 1, warm: 0 })
  })

  describe('that sleeps', () => {
    const resting = { ladder: { pauseAfterMs: 5000, hibernateAfterMs: 60_000 }, stemCells: 1 } as const
    const script = { rests: true, createMs: 500, loadMs: 5, resumeMs: 1 }

    test('does so once it is rehearsed, and is woken to be specialized', async () => {
      const { clock, driver, invoker, call } = testHouse({ ...resting, script })
      invoker.prepare(nodeFunction('one'))
      await clock.pass(700)
      expect([...driver.sandboxes].map(({ stopped }) => stopped)).toEqual([false])
      await clock.pass(1000)
      expect([...driver.sandboxes].map(({ stopped }) => stopped)).toEqual([true])
      expect(invoker.activity(nodeFunction('one')).sandboxes.generic).toBe(1)
      const first = call(nodeFunction('one'), '/hello')
      await clock.pass(6)
      expect(first.completion?.start).toEqual({ kind: 'specialized', queueMs: 0, startMs: 6 })
    })

    test('stays awake where pausing is off', async () => {
      const { clock, driver, invoker } = testHouse({ stemCells: 1, script })
      invoker.prepare(nodeFunction('one'))
      await clock.pass(5000)
      expect([...driver.sandboxes].map(({ stopped }) => stopped)).toEqual([false])
    })

    test.each(['refuse', 'hang', 'exit', 'lie'] as const)(
      'and does not wake (%s): the call gets a new one',
      async (onResume) => {
        const { clock, driver, invoker, call } = testHouse({ ...resting, script: { ...script, onResume } })
        invoker.prepare(nodeFunction('one'))
        await clock.pass(2000)
        const first = call(nodeFunction('one'), '/hello')
        await clock.pass(3000)
        expect(first.completion?.outcome.kind).toBe('responded')
        expect(first.completion?.start.kind).toBe('cold')
        expect(invoker.activity(nodeFunction('one')).sandboxes).toMatchObject({ idle: 1 })
        await clock.pass(10_000)
        expect(driver.sandboxes.size).toBe(2)
      },
    )

    test('is drained, before and after, and leaves no timer', async () => {
      const { clock, driver, invoker } = testHouse({ ...resting, stemCells: 2, script })
      invoker.prepare(nodeFunction('one'))
      await clock.pass(1700)
      const drained = invoker.drain(0)
      await clock.pass(1)
      await drained
      expect(driver.sandboxes.size).toBe(0)
      expect(clock.pending).toBe(0)
    })
  })

  describe('is used ahead of calls', () => {
    const script = { createMs: 500, loadMs: 5 }

    test('for minSandboxes, but for the last one, which is left to calls', async () => {
      const { clock, invoker } = testHouse({ stemCells: 2, script })
      invoker.prepare(nodeFunction('other'))
      await clock.pass(2000)
      const version = nodeFunction('least', { minSandboxes: 3 })
      invoker.prepare(version)
      await clock.pass(5)
      expect(invoker.activity(version).sandboxes).toMatchObject({ idle: 1, starting: 2, generic: 1 })
      await clock.pass(3000)
      expect(invoker.activity(version).sandboxes).toMatchObject({ idle: 3, generic: 2 })
    })

    test('for what keep-alive loads again', async () => {
      const { clock, invoker, call } = testHouse({ stemCells: 1, script, memoryMiB: 1500 })
      const timer = nodeFunction('timer', { keepAliveMs: undefined })
      const auto = { ...timer, spec: { ...timer.spec, keepAlive: 'auto' as const } }
      for (let i = 0; i < 30; i++) {
        call(auto, '/hello')
        await clock.pass(30 * 60_000)
      }
      call(auto, '/hello')
      await clock.pass(26 * 60_000)
      const before = invoker.activity(auto)
      await clock.pass(2 * 60_000)
      expect([before.sandboxes.idle, invoker.activity(auto).sandboxes.idle]).toEqual([0, 1])
    })

    test('for a redeploy of what is loaded: the new version is warm before its first call', async () => {
      const { clock, invoker, call } = testHouse({ stemCells: 1, script })
      const [old, next] = [nodeFunction('app'), { ...nodeFunction('app'), ...versionOf('app', {}, 2) }]
      const spec = nodeFunction('app').spec
      invoker.prepare(old)
      await clock.pass(1000)
      call(old, '/hello')
      await clock.pass(2000)
      invoker.prepare({ ...next, spec })
      await clock.pass(6)
      const first = call({ ...next, spec }, '/hello')
      await clock.pass(0)
      expect(first.completion?.start).toEqual({ kind: 'warm', queueMs: 0, startMs: 0 })
    })

    test('not for a redeploy of what is not loaded', async () => {
      const { clock, driver, invoker } = testHouse({ script })
      invoker.prepare(nodeFunction('app'))
      invoker.prepare({ ...nodeFunction('app'), ...versionOf('app', {}, 2), spec: nodeFunction('app').spec })
      await clock.pass(5000)
      expect(driver.created).toBe(0)
    })
  })

  test('is not there for runtimes whose sandboxes are quick to create, nor before a runtime is used', async () => {
    const { clock, driver, invoker } = testHouse({ stemCells: 'auto' })
    await clock.pass(1000)
    invoker.prepare(versionOf('quick'))
    await clock.pass(1000)
    expect(driver.created).toBe(0)
  })

  test('has one of the default kind of a runtime, and of what is deployed', async () => {
    const { clock, driver, invoker } = testHouse({ stemCells: 'auto' })
    invoker.prepare(nodeFunction('large', { memoryMiB: 512 }))
    await clock.pass(1000)
    const memory = [...driver.sandboxes].map(({ spec }) => spec.memoryMiB)
    expect(new Set(memory)).toEqual(new Set([256, 512]))
    await clock.pass(31 * 60_000)
    expect([...driver.sandboxes].map(({ spec }) => spec.memoryMiB)).toEqual([256])
  })

  test('does not serve what it does not fit', async () => {
    const { clock, call, invoker } = testHouse({ stemCells: 1 })
    invoker.prepare(nodeFunction('one'))
    await clock.pass(200)
    const other = call(nodeFunction('other', { memoryMiB: 200 }), '/hello')
    await clock.pass(10)
    expect(other.completion?.start.kind).toBe('cold')
  })

  test('grows with a burst of functions that start', async () => {
    const { clock, driver, call } = testHouse({ stemCells: 'auto', script: { createMs: 50 } })
    for (let i = 0; i < 4; i++) call(nodeFunction(`burst-${i}`, { keepAliveMs: 100 }), '/hello')
    await clock.pass(2000)
    expect(driver.sandboxes.size).toBe(4)
  })

  test('is not refilled while calls wait for starts', async () => {
    const { clock, driver, invoker, call } = testHouse({ stemCells: 1, script: { createMs: 5000 } })
    call(versionOf('slow'), '/hello')
    invoker.prepare(nodeFunction('one'))
    await clock.pass(4000)
    expect(driver.created).toBe(1)
    await clock.pass(2000)
    expect(driver.created).toBe(2)
  })

  describe('of which one is being made', () => {
    const script = { createMs: 500, loadMs: 5 }

    test('gives it to a call that finds no other, sooner than a new one would be there', async () => {
      const { clock, driver, invoker, call } = testHouse({ stemCells: 1, script })
      invoker.prepare(nodeFunction('one'))
      await clock.pass(500)
      expect([driver.created, driver.sandboxes.size]).toEqual([1, 0])
      const first = call(nodeFunction('one'), '/hello')
      await clock.pass(105)
      expect(first.completion?.start).toEqual({ kind: 'specialized', queueMs: 0, startMs: 105 })
      expect(driver.created).toBe(1)
      await clock.pass(1000)
      expect(invoker.activity(nodeFunction('one')).sandboxes).toMatchObject({ generic: 1, idle: 1 })
      expect(invoker.sandboxes()).toMatchObject([
        { memory: { generic: { countedMiB: 256 }, idle: { countedMiB: 256 } } },
      ])
    })

    test('and fails: the call gets a new one', async () => {
      const { clock, invoker, call } = testHouse({ stemCells: 1, script: { ...script, failCreates: 1 } })
      invoker.prepare(nodeFunction('one'))
      await clock.pass(500)
      const first = call(nodeFunction('one'), '/hello')
      await clock.pass(605)
      expect(first.completion?.start).toEqual({ kind: 'cold', queueMs: 0, startMs: 605 })
    })

    test('leaves nothing behind when it is drained after it was taken', async () => {
      const { clock, driver, invoker, call } = testHouse({ stemCells: 1, script: { ...script, createMs: 5000 } })
      invoker.prepare(nodeFunction('one'))
      await clock.pass(500)
      const first = call(nodeFunction('one'), '/hello')
      await clock.pass(10)
      const drained = invoker.drain(0)
      await clock.pass(1)
      await drained
      await clock.pass(60_000)
      expect(first.completion ?? first.error?.code).toBe('shutting-down')
      expect([driver.sandboxes.size, clock.pending]).toEqual([0, 0])
    })
  })

  test('gives way when memory is short, and comes back when it is not', async () => {
    const { clock, driver, invoker, call } = testHouse({ memoryMiB: 1100, stemCells: 1 })
    invoker.prepare(nodeFunction('one'))
    await clock.pass(200)
    expect(driver.sandboxes.size).toBe(1)
    const large = call(versionOf('large', { memoryMiB: 1000, keepAliveMs: 1000 }), '/hello')
    await clock.pass(10)
    expect(large.completion?.outcome.kind).toBe('responded')
    expect(driver.sandboxes.size).toBe(1)
    await clock.pass(20_000)
    expect(invoker.sandboxes()).toMatchObject([{ counts: { generic: 1 } }])
  })

  test('takes no more than a quarter of the memory', async () => {
    const { clock, driver, invoker } = testHouse({ memoryMiB: 2048, stemCells: 5 })
    invoker.prepare(nodeFunction('one'))
    await clock.pass(60_000)
    expect(driver.sandboxes.size).toBe(2)
  })

  test('replaces a sandbox that dies, and tries again later what could not be made', async () => {
    const { clock, driver, invoker, warnings } = testHouse({ script: { failCreates: 1 }, stemCells: 1 })
    invoker.prepare(nodeFunction('one'))
    await clock.pass(100)
    expect(warnings).toEqual(['a generic sandbox could not be made'])
    await clock.pass(60_000)
    const [cell] = driver.sandboxes
    cell?.die({ cause: 'exited', detail: 'exit code 1' })
    await clock.pass(0)
    expect(driver.sandboxes.size).toBe(0)
    await clock.pass(60_000)
    expect(driver.sandboxes.size).toBe(1)
  })

  test('is drained, with what is being made', async () => {
    const { clock, driver, invoker } = testHouse({ stemCells: 2 })
    invoker.prepare(nodeFunction('one'))
    await clock.pass(100)
    driver.script.createMs = 60_000
    await clock.pass(100)
    const drained = invoker.drain(0)
    await clock.pass(1)
    await drained
    expect(driver.sandboxes.size).toBe(0)
    await clock.pass(120_000)
    expect(driver.sandboxes.size).toBe(0)
    expect(clock.pending).toBe(0)
  })
})
