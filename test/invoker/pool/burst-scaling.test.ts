// How long a burst takes against one cold start, on a machine whose starts slow each other: sandboxes of the fake driver
// take longer to create the more are being created.
import { describe, expect, test } from 'vitest'

import type { FunctionVersion } from '#core/function'

import { type HouseOptions, testHouse, type TestHouse, versionOf } from '../house.ts'
import { kinds, times } from './restful.ts'

const START_MS = 150
const PROCESSORS = 2

function contended(options: HouseOptions = {}): TestHouse {
  const house = testHouse({ processors: PROCESSORS, ...options })
  const { driver } = house
  let ended = 0
  Object.defineProperty(driver.script, 'createMs', {
    get: () => START_MS * Math.max(1, (driver.created - ended - driver.sandboxes.size) / PROCESSORS),
  })
  const remove = driver.sandboxes.delete.bind(driver.sandboxes)
  driver.sandboxes.delete = (sandbox) => {
    ended += 1
    return remove(sandbox)
  }
  return house
}

function function32(number = 1): FunctionVersion {
  return versionOf('crowd', { keepAliveMs: 1000, timeoutMs: 60_000 }, number)
}

/** Runs 32 calls at once; p99 of 32 is the last. */
async function burst(house: TestHouse, ms: number, version = function32()): Promise<{ lastMs: number; made: number }> {
  const { clock, driver, call } = house
  const [from, created] = [clock.monotonic(), driver.created]
  let lastMs = 0
  const calls = times(32, () => call(version, ms === 0 ? '/hello' : `/sleep?ms=${ms}`))
  for (const { done } of calls) void done.then(() => (lastMs = clock.monotonic() - from))
  await clock.pass(60_000)
  expect(kinds(calls)).toEqual(Array(32).fill('responded'))
  return { lastMs, made: driver.created - created }
}

describe('a burst of 32 calls, on two processors', () => {
  // Whether nothing is known of the function, or how long its calls run: [ms of a call, most sandboxes, most × a cold call]
  test.each([
    ['of no time', 0, 1, 1],
    ['of 2 ms', 2, 1, 1.5],
    ['of 5 ms', 5, 2, 2],
    ['of 50 ms', 50, 5, 6],
    ['of 2 s', 2000, 32, 3],
  ])('%s takes few starts, not known and known', async (_, ms, most, ratio) => {
    const house = contended()
    const coldMs = START_MS + ms
    for (const round of ['not known', 'known', 'known well']) {
      const { lastMs, made } = await burst(house, ms)
      expect([round, made <= most, made]).toEqual([round, true, made])
      expect([round, lastMs <= ratio * coldMs, lastMs]).toEqual([round, true, lastMs])
    }
  })

  test('of 2 s and not known starts most sandboxes while the first calls still run', async () => {
    const { clock, driver, call } = contended()
    times(32, () => call(function32(), '/sleep?ms=2000'))
    await clock.pass(START_MS + 1)
    expect(driver.created).toBe(1)
    await clock.pass(1900)
    expect(driver.sandboxes.size).toBeGreaterThan(10)
  })

  test('of a version that is new goes by what the one before was like', async () => {
    const house = contended()
    const { driver, clock } = house
    await burst(house, 2000)
    house.invoker.prepare(function32(2))
    const before = driver.created
    times(32, () => house.call(function32(2), '/sleep?ms=2000'))
    await clock.pass(1)
    expect(driver.created - before).toBeGreaterThan(1)
  })
})
