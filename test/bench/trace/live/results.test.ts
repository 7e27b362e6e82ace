import { describe, expect, it } from 'vitest'

import { LIVE_POLICIES, sentOf } from '#bench/trace/live/policies'
import { resultsOf } from '#bench/trace/live/results'

describe('resultsOf()', () => {
  it('sets each policy against ten minutes live, and against itself in virtual time', () => {
    const results = resultsOf({
      coldShares: each((name) => (name === 'learned' ? [0.1, 0.1] : [0.4, 0.4])),
      virtualColdShares: each(() => [0.05, 0.05]),
      wasted: each(() => 1024 * 3_600_000),
      virtualWasted: each((name) => (name === 'none' ? 0 : 2 * 1024 * 3_600_000)),
      failed: 0,
      lateMs: [1000, 3000],
    })
    const by = new Map(results.map((result) => [result.name, result]))
    const cold = 'live cold starts, 75th percentile app: learned'
    expect(by.get(`${cold} / fixed 10 min`)).toMatchObject({ value: 10, baseline: 40, ratio: 0.25 })
    expect(by.get(`${cold} / in virtual time`)).toMatchObject({ value: 10, baseline: 5, ratio: 2 })
    expect(by.get('live wasted memory-time: learned / in virtual time')).toMatchObject({ value: 1, ratio: 0.5 })
    expect(by.get('live wasted memory-time: no keep-alive / in virtual time')).toMatchObject({ ratio: undefined })
    expect(by.get('live failed calls')).toMatchObject({ met: true })
  })
})

describe('sentOf()', () => {
  it('takes all, or some that are spread over the day', () => {
    expect(sentOf([1, 2, 3], { mostCalls: Infinity })).toEqual([1, 2, 3])
    expect(sentOf([1, 2, 3, 4, 5], { mostCalls: 2 })).toEqual([1, 4])
    expect(sentOf([1, 2], { mostCalls: 24 })).toEqual([1, 2])
  })
})

function each<T>(value: (policy: string) => T): Map<string, T> {
  return new Map(LIVE_POLICIES.map(({ name }) => [name, value(name)]))
}
