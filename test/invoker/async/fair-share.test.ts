import { describe, expect, test } from 'vitest'

import { FairShare, newShare } from '#invoker/async/fair-share'

import { type LaneLoad, simulate, type SimulationResult } from './simulate.ts'

const every = (ms: number, untilMs: number): number[] => Array.from({ length: untilMs / ms }, (_, n) => (n + 1) * ms)
/** Of all slot time that was used. */
const shareOf = ({ lanes }: SimulationResult, name: string): number => {
  const all = [...lanes.values()].reduce((sum, { slotMs }) => sum + slotMs, 0)
  return lanes.get(name)!.slotMs / all
}

describe('what a slot is charged', () => {
  const loads: readonly LaneLoad[] = [
    { name: 'long', runMs: 10_000 },
    { name: 'brief', runMs: 10 },
  ]

  test('by the piece, calls of 10 s would leave calls of 10 ms next to nothing', () => {
    const result = simulate({ slots: 16, untilMs: 600_000, loads, charge: 'piece' })
    expect(shareOf(result, 'brief')).toBeLessThan(0.15)
  })

  test('by slot time, both get half of the slots', () => {
    const result = simulate({ slots: 16, untilMs: 600_000, loads })
    expect(shareOf(result, 'long')).toBeCloseTo(0.5, 1)
    expect(shareOf(result, 'brief')).toBeCloseTo(0.5, 1)
  })

  test('by slot time it is the same with more lanes than slots', () => {
    const all = [2000, 20].flatMap((runMs) =>
      Array.from({ length: 20 }, (_, index) => ({ name: `${runMs}-${index}`, runMs })),
    )
    const result = simulate({ slots: 8, untilMs: 1_200_000, loads: all })
    for (const { name } of all) expect(shareOf(result, name)).toBeCloseTo(1 / 40, 2)
  })
})

describe('shares', () => {
  test('go by weight', () => {
    const loads = [1, 2, 5].map((weight) => ({ name: String(weight), runMs: 50, weight }))
    const result = simulate({ slots: 16, untilMs: 60_000, loads })
    for (const { name, weight } of loads) expect(shareOf(result, name)).toBeCloseTo(weight / 8, 2)
  })

  test('that one does not use go to the others', () => {
    const loads: LaneLoad[] = [
      { name: 'greedy', runMs: 20 },
      { name: 'modest', runMs: 20, arrivals: every(100, 60_000) },
    ]
    const result = simulate({ slots: 32, untilMs: 60_000, loads })
    expect(result.lanes.get('modest')!.jobs).toBe(599)
    // 30 slots at 50 a second each: what is kept free for others is one of sixteen.
    expect(result.lanes.get('greedy')!.jobs).toBeGreaterThan(0.9 * 32 * 50 * 60)
  })

  test.each([1, 2, 3, 4, 16, 64])('never take more than %i slots', (slots) => {
    const loads = Array.from({ length: 10 }, (_, n) => ({ name: String(n), runMs: 1 + n * 30 }))
    expect(simulate({ slots, untilMs: 20_000, loads }).peak).toBe(slots)
  })
})

describe('a lane that comes with little work', () => {
  const modest: LaneLoad = { name: 'modest', runMs: 50, arrivals: every(200, 100_000) }

  test.each([
    ['one with a long backlog', [{ name: 'greedy', runMs: 50 }]],
    ['one whose calls run for a minute', [{ name: 'greedy', runMs: 60_000 }]],
    ['three of which one runs for a minute', [10, 100, 60_000].map((runMs) => ({ name: `r${runMs}`, runMs }))],
  ] as const)('does not wait for %s', (_, greedy) => {
    const result = simulate({ slots: 64, untilMs: 100_000, loads: [...greedy, modest] })
    const { waits } = result.lanes.get('modest')!
    expect(waits.length).toBeGreaterThan(490)
    expect(Math.max(...waits)).toBe(0)
  })

  test('does not wait behind a thousand backlogs, as long as it comes with no more than its share', () => {
    const greedy = Array.from({ length: 1000 }, (_, n) => ({ name: `g${n}`, runMs: 50 }))
    // 64 slots among 1001 are 1.28 calls of 50 ms a second.
    const within: LaneLoad = { ...modest, arrivals: every(1000, 20_000) }
    const result = simulate({ slots: 64, untilMs: 20_000, loads: [...greedy, within] })
    expect(Math.max(...result.lanes.get('modest')!.waits)).toBeLessThan(60)
  })
})

describe('a lane that could not be served', () => {
  test('has no claim to what it missed', () => {
    const loads: LaneLoad[] = [
      { name: 'away', runMs: 20, noRoom: [100, 60_000] },
      { name: 'there', runMs: 20 },
    ]
    const before = simulate({ slots: 8, untilMs: 60_000, loads }).lanes
    const after = simulate({ slots: 8, untilMs: 120_000, loads }).lanes
    const had = (name: string): number => after.get(name)!.slotMs - before.get(name)!.slotMs
    // Half of what comes from then on, and not everything for a minute.
    expect(had('there') / had('away')).toBeCloseTo(1, 1)
  })

  test('because it holds most of the slots has none either', () => {
    const loads: LaneLoad[] = [
      { name: 'long', runMs: 30_000 },
      { name: 'brief', runMs: 10, arrivals: every(20, 90_000) },
    ]
    const result = simulate({ slots: 16, untilMs: 90_000, loads })
    expect(Math.max(...result.lanes.get('brief')!.waits)).toBe(0)
    expect(result.lanes.get('long')!.peak).toBe(15)
  })
})

describe('expectations', () => {
  test('that calls have not met leave no debt but for one call', () => {
    const share = new FairShare(8)
    const surprising = newShare(1)
    const other = newShare(1)
    share.join(surprising)
    const paid = Array.from({ length: 7 }, () => share.take(surprising))
    share.join(other)
    for (const each of paid) share.giveBack(surprising, each, 5000)
    // 5 s are 500 rounds for a weight of 1.
    expect(surprising.round - other.round).toBeLessThanOrEqual(502)
    expect(share.inHand).toBe(0)
  })

  test('what was paid for a take that found nothing comes back', () => {
    const share = new FairShare(8)
    const lane = newShare(1)
    share.join(lane)
    for (let n = 0; n < 1000; n++) share.undo(lane, share.take(lane))
    expect(share.inHand).toBe(0)
    expect(share.next()).toBe(lane)
    const other = newShare(1)
    share.join(other)
    share.take(other)
    expect(Math.abs(lane.round - other.round)).toBeLessThanOrEqual(10)
  })
})

test('a turn costs the same with ten thousand lanes', () => {
  const share = new FairShare(1)
  for (let n = 0; n < 10_000; n++) share.join(newShare(1 + (n % 5)))
  const served = new Set<unknown>()
  for (let n = 0; n < 10_000; n++) {
    const lane = share.next()!
    served.add(lane)
    share.giveBack(lane, share.take(lane), 50)
  }
  expect(served.size).toBe(10_000)
})
