import { expect, test } from 'vitest'

import { Agenda } from '#invoker/pool/agenda'

import { ManualClock } from '../manual-clock.ts'

function recorder(clock: ManualClock, next: (now: number) => number = () => Infinity) {
  const times: number[] = []
  const due = (now: number): number => {
    times.push(clock.monotonic())
    return next(now)
  }
  return { times, due }
}

test('an agenda calls each at its time, with one timer', async () => {
  const clock = new ManualClock()
  using agenda = new Agenda(clock)
  const all = Array.from({ length: 1000 }, (_, index) => ({ ...recorder(clock), at: (index * 7919) % 1000 }))
  for (const each of all) agenda.at(each, each.at)
  expect(clock.pending).toBe(1)
  await clock.pass(1000)
  expect(all.map(({ times }) => times)).toEqual(all.map(({ at }) => [at]))
  expect(clock.pending).toBe(0)
})

test('an agenda keeps to the earliest time that was asked for', async () => {
  const clock = new ManualClock()
  using agenda = new Agenda(clock)
  const one = recorder(clock)
  for (const at of [500, 100, 300]) agenda.at(one, at)
  await clock.pass(1000)
  expect(one.times).toEqual([100])
})

test('an agenda asks again when it is told to, and not at once for ever', async () => {
  const clock = new ManualClock()
  using agenda = new Agenda(clock)
  const eager = recorder(clock, () => 0)
  agenda.at(eager, 10)
  await clock.pass(13)
  expect(eager.times).toEqual([10, 11, 12, 13])
})

test('an agenda waits for months without a timer that overflows', async () => {
  const clock = new ManualClock()
  using agenda = new Agenda(clock)
  const late = recorder(clock)
  const at = 90 * 24 * 3_600_000
  agenda.at(late, at)
  await clock.pass(at)
  expect(late.times).toEqual([at])
})

test('an agenda is a heap: whatever is asked for in whatever order comes in order', async () => {
  const clock = new ManualClock()
  using agenda = new Agenda(clock)
  const order: number[] = []
  const all = Array.from({ length: 200 }, (_, index) => ({
    times: [(index * 37) % 500, (index * 101) % 700, (index * 53) % 300],
    due: () => {
      order.push(clock.monotonic())
      return Infinity
    },
  }))
  for (const round of [0, 1, 2]) for (const each of all) agenda.at(each, each.times[round] ?? 0)
  await clock.pass(1000)
  expect(order).toEqual(all.map(({ times }) => Math.min(...times)).toSorted((a, b) => a - b))
})
