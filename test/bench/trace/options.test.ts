import { describe, expect, it } from 'vitest'

import { readOptions } from '#bench/trace/options'

describe('readOptions()', () => {
  it('replays two weeks of 1,500 apps in virtual time when nothing is said', () => {
    expect(readOptions([])).toMatchObject({ shape: { apps: 1500, days: 14, unit: 'app' }, live: undefined })
  })

  it('calls fewer apps live, after a week to learn from, and none of them all the time', () => {
    expect(readOptions(['--live'])).toMatchObject({
      shape: { apps: 60, days: 8, unit: 'app', mostCallsPerDay: 1440 },
      live: { hours: 6, minutes: 4 },
    })
  })

  it.each([
    [['--live', '--apps', '501'], '--apps must be an integer in [1, 500]: received 501'],
    [['--live', '--hours', '25'], '--hours must be an integer in [1, 24]: received 25'],
    [['--live', '--minutes', '0'], '--minutes must be an integer in [1, 1440]: received 0'],
    [['--unit', 'call'], '--unit must be app or function: received call'],
  ])('refuses %j in words for the user', (args, message) => {
    expect(() => readOptions(args)).toThrow(message)
  })
})
