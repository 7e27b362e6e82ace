import { describe, expect, test } from 'vitest'

import { Habits } from '#invoker/pool/keep-alive/habits'
import { ended, NO_HISTORY, started } from '#invoker/pool/keep-alive/idle-history'

/** Calls of 10 ms, each so long after the end of the one before. */
function both(idleTimes: readonly number[]) {
  const habits = new Habits(NO_HISTORY)
  let history = NO_HISTORY
  let now = 1_700_000_000_000
  for (const idleMs of [0, ...idleTimes]) {
    now += idleMs
    habits.callStarted(now)
    history = started(history, now)
    now += 10
    habits.callEnded(now)
    history = ended(history, now)
  }
  return { habits, history }
}

describe('Habits', () => {
  test.each([
    ['brief idle times', Array.from({ length: 2500 }, () => 5)],
    ['idle times of all lengths', [5, 59_999, 60_000, 90_000, 3, 14_400_000, 7, 100_000_000]],
    ['none', []],
  ])('count %s as the history does', (_, idleTimes) => {
    const { habits, history } = both(idleTimes)
    expect(habits.history).toEqual(history)
  })

  test('count no idle time for a call that finds another one running', () => {
    const habits = new Habits(NO_HISTORY)
    habits.callStarted(0)
    habits.callStarted(5)
    habits.callEnded(10)
    expect(habits.running).toBe(true)
    habits.callEnded(20)
    expect(habits.running).toBe(false)
    expect(habits.history).toMatchObject({ total: 0, endedAt: 20 })
  })

  test('go on from what was remembered', () => {
    const { habits } = both([600_000, 600_000])
    const later = new Habits(habits.history)
    later.callStarted((habits.endedAt ?? 0) + 600_000)
    expect(later.history.counts[10]).toBe(3)
  })

  test('never count so much at once that the store would refuse it', () => {
    const { habits } = both(Array.from({ length: 45_000 }, () => 1))
    expect(habits.history.total).toBeLessThan(20_160)
  })
})
