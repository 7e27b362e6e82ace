// The idle ladder with a driver that hangs, dies and lies at every rung.
import { describe, expect, test } from 'vitest'

import { settle } from '../manual-clock.ts'
import { kept, kinds, leftAlone, NONE, restful, times } from './restful.ts'

describe('a driver that fails at resting', () => {
  const FAULTS = ['refuse', 'hang', 'exit', 'lie'] as const

  test.each(FAULTS)('at waking (%s): another sandbox serves the calls, and it is gone', async (onResume) => {
    const house = restful({ onResume })
    const version = kept('fault', { maxSandboxes: 1 })
    await leftAlone(house, version, 10_000)
    const calls = times(4, () => house.call(version, '/hello'))
    await house.clock.pass(3000)
    expect(kinds(calls)).toEqual(Array(4).fill('responded'))
    expect(calls[0]?.completion?.start.kind).toBe('cold')
    expect(house.driver.sandboxes.size).toBe(1)
    expect(house.warnings).toEqual(['a sandbox did not wake and was given up'])
    expect(house.invoker.activity(version)).toMatchObject({ sandboxes: { ...NONE, idle: 1 }, wakes: {} })
    expect(house.invoker.activity(version).memory).toEqual({ idle: { countedMiB: 100 } })
  })

  test.each(FAULTS)('at waking (%s) of a hibernated one: the budget is right afterwards', async (onResume) => {
    const house = restful({ onResume }, { memoryMiB: 200 })
    await leftAlone(house, kept('fault'), 70_000)
    const call = house.call(kept('fault'), '/hello')
    await house.clock.pass(4000)
    const others = [house.call(kept('b'), '/sleep?ms=900'), house.call(kept('c'), '/sleep?ms=900')]
    await house.clock.pass(5000)
    expect(kinds([call, ...others])).toEqual(Array(3).fill('responded'))
    expect(house.driver.sandboxes.size).toBe(2)
  })

  test('at pausing (refuse): it stays warm, and is tried again a minute later', async () => {
    const house = restful({ onPause: 'refuse' })
    const version = kept('stubborn')
    await leftAlone(house, version, 30_000)
    expect(house.invoker.activity(version).sandboxes).toEqual({ ...NONE, idle: 1 })
    house.driver.script.onPause = 'pause'
    await house.clock.pass(36_000)
    expect(house.invoker.activity(version).sandboxes).toEqual({ ...NONE, hibernated: 1 })
    expect(house.driver.created).toBe(1)
  })

  test('at pausing (hang): it is given up; a call that comes meanwhile is served by another', async () => {
    const house = restful({ onPause: 'hang' })
    await leftAlone(house, kept('quiet'), 20_000)
    expect(house.driver.sandboxes.size).toBe(0)
    await leftAlone(house, kept('called'), 6000)
    const call = house.call(kept('called'), '/hello')
    await house.clock.pass(2500)
    expect(kinds([call])).toEqual(['responded'])
    expect(house.driver.sandboxes.size).toBe(1)
  })

  test.each(['pause', 'hibernate'] as const)('at the end of the %s (exit): it is gone', async (step) => {
    const house = restful(step === 'pause' ? { onPause: 'exit' } : { onHibernate: 'exit' })
    await leftAlone(house, kept('gone'), 70_000)
    expect(house.invoker.activity(kept('gone')).sandboxes).toEqual(NONE)
    const call = house.call(kept('gone'), '/hello')
    await house.clock.pass(150)
    expect(call.completion?.start.kind).toBe('cold')
  })

  test.each(['refuse', 'reject'] as const)(
    'at hibernating (%s): it stays paused, and the status says why',
    async (how) => {
      const house = restful({ onHibernate: how })
      const version = kept('light')
      await leftAlone(house, version, 70_000)
      expect(house.invoker.activity(version).sandboxes).toEqual({ ...NONE, paused: 1 })
      expect(house.invoker.activity(version).notHibernated).toContain('scripted to refuse')
      expect(house.invoker.activity(version).memory).toEqual({ paused: { countedMiB: 100 } })
      house.driver.script.onHibernate = 'hibernate'
      await house.clock.pass(60_000)
      expect(house.invoker.activity(version).sandboxes).toEqual({ ...NONE, hibernated: 1 })
      expect(house.invoker.activity(version).notHibernated).toBeUndefined()
    },
  )

  test('at hibernating (hang): a call that comes meanwhile is served by another; else it is given up', async () => {
    const house = restful({ onHibernate: 'hang' })
    await leftAlone(house, kept('called'), 61_000)
    const call = house.call(kept('called'), '/hello')
    await house.clock.pass(2500)
    expect(kinds([call])).toEqual(['responded'])
    // One after the other: it gets its turn when the one before was given up.
    await leftAlone(house, kept('quiet'), 181_000)
    expect(house.invoker.activity(kept('quiet')).sandboxes).toEqual(NONE)
    expect(house.warnings).toContain('an idle sandbox could not be let sleep and was given up')
  })

  test.each([
    [Number.NaN, 100],
    [-5, 100],
    [1e15, 100],
    [0, 1],
    [3.5 * 1024 * 1024, 4],
  ])(
    'that says of a hibernated one that it holds %d bytes: it counts with %d MiB',
    async (residentBytes, countedMiB) => {
      const house = restful({ residentBytes })
      await leftAlone(house, kept('odd'), 70_000)
      expect(house.invoker.activity(kept('odd')).memory).toMatchObject({ hibernated: { countedMiB } })
    },
  )

  test('by letting one die that sleeps: it is gone at once, and the next call is cold', async () => {
    const house = restful()
    await leftAlone(house, kept('dies'), 70_000)
    for (const sandbox of house.driver.sandboxes) sandbox.die({ cause: 'exited', detail: 'killed' })
    await settle()
    expect(house.invoker.activity(kept('dies')).sandboxes).toEqual(NONE)
    const call = house.call(kept('dies'), '/hello')
    await house.clock.pass(150)
    expect(kinds([call])).toEqual(['responded'])
  })
})
