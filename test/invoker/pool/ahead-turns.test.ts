import { describe, expect, test } from 'vitest'

import { AheadTurns } from '#invoker/pool/ahead-turns'

import { testHouse, versionOf } from '../house.ts'
import { settle } from '../manual-clock.ts'
import { times } from './restful.ts'

test('turns go to those who wait, in order, each once, and past those who want none any more', () => {
  const turns = new AheadTurns(1)
  const told: string[] = []
  const taken: (Disposable | undefined)[] = [turns.take('a', () => told.push('a'))]
  turns.take('b', () => told.push('b, in vain'))
  turns.take('c', () => {
    told.push('c')
    taken.push(turns.take('c', () => told.push('c again')))
  })
  turns.take('d', () => told.push('d'))
  turns.take('b', () => told.push('b'))
  taken[0]?.[Symbol.dispose]()
  expect(told).toEqual(['b', 'c'])
  taken[1]?.[Symbol.dispose]()
  expect(told).toEqual(['b', 'c', 'd'])
  expect(turns.take('e', () => undefined)).toBeDefined()
})

describe('what is started ahead of calls', () => {
  test('comes up two at a time, and does not keep those waiting that calls want', async () => {
    const { clock, driver, invoker, call } = testHouse({ script: { createMs: 100 } })
    const kept = times(10, () => 0).map((_, index) => versionOf(`kept-${index}`, { minSandboxes: 1 }))
    for (const version of kept) invoker.prepare(version)
    await settle()
    expect(driver.created).toBe(2)
    const wanted = [call(versionOf('other'), '/hello'), call(kept[9]!, '/hello')]
    await clock.pass(100)
    expect(wanted.map(({ completion }) => completion?.start.startMs)).toEqual([100, 100])
    await clock.pass(500)
    expect(kept.map((version) => invoker.activity(version).sandboxes.idle)).toEqual(Array(10).fill(1))
    expect(driver.created).toBe(11)
  })

  test('is not started any more when its function is gone before its turn', async () => {
    const { clock, driver, invoker } = testHouse({ script: { createMs: 100 } })
    const kept = times(4, () => 0).map((_, index) => versionOf(`kept-${index}`, { minSandboxes: 1 }))
    for (const version of kept) invoker.prepare(version)
    invoker.retire(kept[2]!.function, undefined)
    await clock.pass(1000)
    expect(driver.created).toBe(3)
  })

  test('has its turn when the one before has failed', async () => {
    const { clock, driver, invoker } = testHouse({ script: { createMs: 100, failCreates: 2 } })
    for (const name of ['a', 'b', 'c', 'd']) invoker.prepare(versionOf(name, { minSandboxes: 1 }))
    await clock.pass(2000)
    expect(driver.sandboxes.size).toBe(4)
  })
})
