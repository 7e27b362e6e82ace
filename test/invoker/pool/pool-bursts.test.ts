// Bursts at the cap, whatever the callers find, and what may not be lost when sandboxes go.
import { describe, expect, test } from 'vitest'

import { testHouse, versionOf } from '../house.ts'
import { kinds, times } from './restful.ts'

describe('a burst of 32 callers', () => {
  const asleep = { ladder: { pauseAfterMs: 100, hibernateAfterMs: 2000 } }

  // What they find: nothing, sandboxes that sleep by now, or starts that fail.
  test.each([
    ['cold', 0, { createMs: 150 }],
    ['paused', 500, { createMs: 150, rests: true, resumeMs: 2 }],
    ['hibernated', 5000, { createMs: 150, rests: true, resumeMs: 20 }],
    ['paused and not to be woken', 500, { createMs: 150, rests: true, onResume: 'lie' }],
    ['cold, and the first start fails', 0, { createMs: 150, failCreates: 1 }],
  ] as const)(
    'on one function (%s) never makes more sandboxes than its cap, and nobody fails',
    async (_, idleMs, script) => {
      for (const maxSandboxes of [1, 3]) {
        for (const target of ['/hello', '/sleep?ms=10', '/sleep?ms=700']) {
          const { clock, driver, call } = testHouse({ script, ...asleep })
          const version = versionOf('capped', { maxSandboxes, timeoutMs: 20_000 })
          const before = times(idleMs > 0 ? 4 : 0, () => call(version, '/sleep?ms=300'))
          if (idleMs > 0) await clock.pass(2000 + idleMs)
          const calls = times(32, () => call(version, target))
          await clock.pass(30_000)
          expect([target, ...kinds([...before, ...calls])]).toEqual([
            target,
            ...Array(before.length + 32).fill('responded'),
          ])
          expect(driver.peak).toBeLessThanOrEqual(maxSandboxes)
        }
      }
    },
  )
})

describe('scaling in', () => {
  const streams = '/stream?n=20&ms=100'

  test('loses no stream when a sandbox is given up for others', async () => {
    const { clock, call } = testHouse({ memoryMiB: 200 })
    const streaming = times(2, () => call(versionOf('long', { timeoutMs: 20_000 }), streams))
    await clock.pass(100)
    const newcomer = call(versionOf('newcomer'), '/hello')
    await clock.pass(10_000)
    expect(kinds([...streaming, newcomer])).toEqual(Array(3).fill('responded'))
    expect(streaming.map(({ sink }) => sink.chunks.length)).toEqual([20, 20])
  })

  test('loses no stream at a redeploy, a removal, and a drain', async () => {
    for (const end of ['redeploy', 'remove', 'drain'] as const) {
      const { clock, driver, invoker, call } = testHouse()
      const old = versionOf('app', { concurrency: 2, timeoutMs: 20_000 })
      const streaming = times(4, () => call(old, streams))
      await clock.pass(500)
      if (end === 'redeploy') invoker.prepare(versionOf('app', {}, 2))
      if (end === 'remove') invoker.retire(old.function, undefined)
      const drained = end === 'drain' ? invoker.drain(5000) : undefined
      await clock.pass(5000)
      await drained
      expect([end, ...kinds(streaming)]).toEqual([end, ...Array(4).fill('responded')])
      expect(streaming.map(({ sink }) => sink.chunks.length)).toEqual(Array(4).fill(20))
      await clock.pass(60_001)
      expect([end, driver.sandboxes.size]).toEqual([end, 0])
    }
  })
})

describe('a driver that fails at starting', () => {
  test.each([
    ['dies as it loads, once', { onLoad: 'exit' as const }],
    ['hangs as it loads', { onLoad: 'hang' as const }],
  ])('%s: those who wait are told, and the next calls are served', async (_, script) => {
    const { clock, driver, call } = testHouse({ script })
    const version = versionOf('fragile')
    const told = call(version, '/hello')
    await clock.pass(31_000)
    expect(['exited', 'timed-out']).toContain(told.completion?.outcome.kind)
    expect(driver.sandboxes.size).toBe(0)
    driver.script.onLoad = 'load'
    const served = call(version, '/hello')
    await clock.pass(1000)
    expect(kinds([served])).toEqual(['responded'])
  })

  test('hangs as it creates: it is given up and tried again', async () => {
    const { clock, driver, call } = testHouse({ script: { createMs: 1e9 }, maxWaitMs: 120_000 })
    const waiting = call(versionOf('stuck'), '/hello')
    await clock.pass(29_000)
    driver.script.createMs = 10
    await clock.pass(2000)
    expect(kinds([waiting])).toEqual(['responded'])
    expect(driver.created).toBe(2)
    expect(driver.sandboxes.size).toBe(1)
  })

  test('creates late what was given up: nothing of it stays', async () => {
    const { clock, driver, call } = testHouse({ script: { createMs: 29_990 } })
    const caller = new AbortController()
    call(versionOf('late'), '/hello', caller.signal)
    await clock.pass(29_000)
    caller.abort()
    await clock.pass(200_000)
    expect(driver.sandboxes.size).toBe(0)
  })
})
