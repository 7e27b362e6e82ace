// What hibernated sandboxes leave to others, and take back.
import { describe, expect, test } from 'vitest'

import type { FunctionVersion } from '#core/function'

import { kept, kinds, leftAlone, NONE, restful, times } from './restful.ts'

describe('the memory of hibernated sandboxes', () => {
  test('is there for others: more functions stay loaded than fit awake', async () => {
    const house = restful({}, { memoryMiB: 200 })
    const names = ['a', 'b', 'c', 'd', 'e', 'f']
    for (const name of names) await leftAlone(house, kept(name), 61_000)
    expect(house.driver.sandboxes.size).toBe(6)
    expect(house.driver.created).toBe(6)
  })

  test('is as the worked example of docs/scaling.md has it', async () => {
    const house = restful({ createMs: 150, resumeMs: 19, residentBytes: 1.2 * 1024 * 1024 }, { memoryMiB: 1024 })
    const { clock, driver } = house
    const freeMiB = (): number => {
      const held = house.invoker.sandboxes().flatMap(({ memory }) => Object.values(memory))
      return 1024 - held.reduce((sum, { countedMiB }) => sum + countedMiB, 0)
    }
    const sandboxes = (names: readonly string[]): object[] =>
      names.map((name) => house.invoker.activity(large(name)).sandboxes)
    for (const name of ['a', 'b', 'c', 'd']) house.call(large(name), '/hello')
    await clock.pass(150)
    await clock.pass(5000)
    expect([sandboxes(['a', 'b', 'c', 'd']), freeMiB()]).toEqual([times(4, () => ({ ...NONE, paused: 1 })), 0])
    await clock.pass(55_000)
    expect([sandboxes(['a', 'b', 'c', 'd']), freeMiB()]).toEqual([times(4, () => ({ ...NONE, hibernated: 1 })), 1016])
    await clock.pass(60_000)
    for (const name of ['e', 'f', 'g']) house.call(large(name), '/hello')
    await clock.pass(30_000)
    expect([driver.sandboxes.size, freeMiB()]).toEqual([7, 248])
    const call = house.call(large('a'), '/hello')
    await clock.pass(19)
    expect(call.completion?.start).toEqual({ kind: 'warm', queueMs: 0, startMs: 19 })
    expect([driver.sandboxes.size, sandboxes(['b', 'c', 'd'])]).toEqual([
      6,
      times(3, () => ({ ...NONE, hibernated: 1 })),
    ])
    await clock.pass(450_000)
    expect(sandboxes(['b', 'c', 'd'])).toEqual(times(3, () => NONE))
    expect(driver.sandboxes.size).toBe(3)
  })

  test('is needed again to wake one: what is worth least makes room', async () => {
    const house = restful({ resumeMs: 10 }, { memoryMiB: 210 })
    await leftAlone(house, kept('asleep'), 61_000)
    for (const name of ['b', 'c']) house.call(kept(name), '/hello')
    await house.clock.pass(200)
    const call = house.call(kept('asleep'), '/hello')
    await house.clock.pass(20)
    expect(call.completion).toMatchObject({ start: { kind: 'warm', startMs: 10 } })
    expect(house.driver.sandboxes.size).toBe(2)
    expect(house.driver.peak).toBe(3)
  })

  test('that is not there now is waited for, and the call is served', async () => {
    const house = restful({ resumeMs: 10 }, { memoryMiB: 210 })
    const version = kept('asleep', { maxSandboxes: 1 })
    await leftAlone(house, version, 61_000)
    const busy = [house.call(kept('b'), '/sleep?ms=900'), house.call(kept('c'), '/sleep?ms=900')]
    await house.clock.pass(200)
    const call = house.call(version, '/hello')
    await house.clock.pass(100)
    expect(kinds([call])).toEqual([undefined])
    await house.clock.pass(900)
    expect(kinds([...busy, call])).toEqual(Array(3).fill('responded'))
    expect(call.completion?.start.kind).toBe('warm')
  })

  test('makes them the last to be evicted, and counts for what it is when they are', async () => {
    const house = restful({}, { memoryMiB: 303 })
    await leftAlone(house, kept('asleep'), 61_000)
    for (const name of ['b', 'c', 'd']) {
      house.call(kept(name), '/hello')
      await house.clock.pass(1000)
    }
    house.call(kept('e'), '/hello')
    await house.clock.pass(200)
    expect(house.invoker.activity(kept('asleep')).sandboxes).toEqual({ ...NONE, hibernated: 1 })
    const whole = house.call(kept('whole', { memoryMiB: 303 }), '/hello')
    await house.clock.pass(500)
    expect(kinds([whole])).toEqual(['responded'])
    expect(house.driver.sandboxes.size).toBe(1)
  })
})

function large(name: string): FunctionVersion {
  return kept(name, { memoryMiB: 256 })
}
