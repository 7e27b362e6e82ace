import { describe, expect, it } from 'vitest'

import { hybridHistogram } from '#invoker/pool/keep-alive/hybrid-histogram'
import { ended, NO_HISTORY } from '#invoker/pool/keep-alive/idle-history'
import type { KeepAliveDecision } from '#invoker/pool/keep-alive/policy'

import { historyOf, HOUR_MS, MINUTE_MS, randomHistory } from './histories.ts'

const END = 1_800_000_000_000
const decide = hybridHistogram()

const cases = [
  {
    name: 'keeps a function without history for ten minutes',
    history: NO_HISTORY,
    basis: 'standard',
    keep: 10,
  },
  {
    name: 'keeps a function whose idle times are all over the place for the whole range',
    history: historyOf(...Array.from({ length: 60 }, (_, index) => [1, 4 * index] as const)),
    basis: 'standard',
    keep: 4 * 60,
  },
  {
    name: 'unloads a function that is called every half hour and is back before the next call',
    history: historyOf([20, 30]),
    basis: 'histogram',
    keep: 0,
    from: 30 * 0.9,
    until: (30 + 1) * 1.1,
  },
  {
    name: 'keeps a function that is called all the time to the end of the tail, without a gap',
    history: historyOf([1000, 0]),
    basis: 'histogram',
    keep: (0 + 1) * 1.1,
  },
  {
    name: 'does not unload for less than a minute',
    history: historyOf([50, 1]),
    basis: 'histogram',
    keep: (1 + 1) * 1.1,
  },
  {
    name: 'leaves out what is below the 5th and above the 99th percentile',
    history: historyOf([4, 2], [95, 20], [1, 100]),
    basis: 'histogram',
    keep: 0,
    from: 20 * 0.9,
    until: (20 + 1) * 1.1,
  },
  {
    name: 'starts at the bin of the 5th percentile and ends with that of the 99th',
    history: historyOf([5, 4], [93, 20], [2, 100]),
    basis: 'histogram',
    keep: 0,
    from: 4 * 0.9,
    until: (100 + 1) * 1.1,
  },
  {
    name: 'looks at the histogram alone while less than a tenth of the idle times are beyond its range',
    history: historyOf([19, 30], [2, 24 * 60]),
    basis: 'histogram',
    keep: 0,
    from: 30 * 0.9,
    until: (30 + 1) * 1.1,
  },
  {
    name: 'also loads ahead of the call that is expected beyond the range from a tenth on, without a gap before it',
    history: historyOf([18, 30], [2, 24 * 60]),
    basis: 'histogram',
    keep: (30 + 1) * 1.1,
    from: 24 * 60 * 0.85,
    until: 24 * 60 * 1.15,
  },
  {
    name: 'does so besides keeping a flat histogram for the whole range',
    history: historyOf(...Array.from({ length: 60 }, (_, index) => [1, 4 * index] as const), [7, 24 * 60]),
    basis: 'standard',
    keep: 4 * 60,
    from: 24 * 60 * 0.85,
    until: 24 * 60 * 1.15,
  },
  {
    name: 'forecasts from half of them on, and stays for calls that come in groups',
    history: historyOf([2, 30], [2, 24 * 60]),
    basis: 'forecast',
    keep: (30 + 1) * 1.1,
    from: 24 * 60 * 0.85,
    until: 24 * 60 * 1.15,
  },
  {
    name: 'forecasts a function that is called once a day and does not stay after the call',
    history: historyOf([3, 24 * 60]),
    basis: 'forecast',
    keep: 0,
    from: 24 * 60 * 0.85,
    until: 24 * 60 * 1.15,
  },
  {
    name: 'makes one window of a group and a forecast that touch',
    history: historyOf([1, 200], [1, 250]),
    basis: 'forecast',
    keep: 250 * 1.15,
  },
] satisfies {
  name: string
  history: ReturnType<typeof historyOf>
  basis: KeepAliveDecision['basis']
  keep: number
  from?: number
  until?: number
}[]

describe('hybridHistogram()', () => {
  it.each(cases)('$name', ({ history, basis, keep, from, until }: (typeof cases)[number]) => {
    const decision = decide(ended(history, END), END)
    expect(decision.basis).toBe(basis)
    expect(decision.keepAliveMs / MINUTE_MS).toBeCloseTo(keep, 4)
    if (from === undefined || until === undefined) expect(decision.prewarm).toBeUndefined()
    else {
      expect(decision.prewarm!.afterMs / MINUTE_MS).toBeCloseTo(from, 4)
      expect(decision.prewarm!.keepMs / MINUTE_MS).toBeCloseTo(until - from, 4)
    }
  })

  it('goes on where it was when it is asked in the middle of an idle time, as after a restart', () => {
    const history = ended(historyOf([20, 30]), END)
    expect(decide(history, END + 10 * MINUTE_MS)).toMatchObject({
      keepAliveMs: 0,
      prewarm: { afterMs: (30 * 0.9 - 10) * MINUTE_MS },
    })
    expect(decide(history, END + 28 * MINUTE_MS)).toMatchObject({
      keepAliveMs: (30 + 1) * 66_000 - 28 * MINUTE_MS,
      prewarm: undefined,
    })
    expect(decide(history, END + 24 * HOUR_MS)).toMatchObject({ keepAliveMs: 0, prewarm: undefined })
  })

  it('is the published policy with its forecast and nothing besides the histogram', () => {
    const daily = { keepMs: 0, fromMs: 20 * HOUR_MS, untilMs: 28 * HOUR_MS }
    const published = hybridHistogram({ forecast: () => daily, alsoExpectedShare: 0.5 })
    expect(published(ended(historyOf([2, 30], [2, 24 * 60]), END), END)).toEqual({
      keepAliveMs: 0,
      prewarm: { afterMs: 20 * HOUR_MS, keepMs: (28 - 20) * HOUR_MS },
      basis: 'forecast',
    })
    expect(published(ended(historyOf([3, 30], [2, 24 * 60]), END), END)).toEqual({
      keepAliveMs: 0,
      prewarm: { afterMs: 30 * 0.9 * MINUTE_MS, keepMs: 31 * 66_000 - 30 * 54_000 },
      basis: 'histogram',
    })
  })
})

describe('hybridHistogram() for any history', () => {
  const histories = Array.from({ length: 300 }, (_, index) => ended(randomHistory(index + 1), END))

  it('gives whole, ordered times', () => {
    for (const history of histories) {
      const { keepAliveMs, prewarm } = decide(history, END)
      const times = [
        0,
        keepAliveMs,
        prewarm?.afterMs ?? Infinity,
        (prewarm?.afterMs ?? 0) + (prewarm?.keepMs ?? Infinity),
      ]
      expect(times).toEqual(times.toSorted((a, b) => a - b))
      expect(times.filter(Number.isFinite).every(Number.isSafeInteger)).toBe(true)
    }
  })

  it('stays loaded for one call no longer than the range with its margin and the longest window', () => {
    for (const history of histories) {
      const { keepAliveMs, prewarm } = decide(history, END)
      expect(keepAliveMs + (prewarm?.keepMs ?? 0)).toBeLessThanOrEqual(4 * HOUR_MS * 1.1 + 48 * HOUR_MS + 2)
    }
  })

  it('plans the same times whenever it is asked', () => {
    for (const history of histories) {
      const first = windowEnds(decide(history, END))
      for (const elapsed of [1, 30_000, MINUTE_MS, 7 * MINUTE_MS, 3 * HOUR_MS]) {
        const later = windowEnds(decide(history, END + elapsed)).map((end) => end + elapsed)
        const left = first.filter((end) => end > elapsed)
        // Rounding moves an end by at most 1 ms; what has passed is left out.
        expect(later.filter((end) => end > elapsed).length).toBe(left.length)
        expect(later.filter((end) => end > elapsed).every((end, index) => Math.abs(end - left[index]!) <= 1)).toBe(true)
      }
    }
  })
})

/** When the sandbox is unloaded, loaded and unloaded again, as far as it is. */
function windowEnds({ keepAliveMs, prewarm }: KeepAliveDecision): number[] {
  const ends = prewarm === undefined ? [] : [prewarm.afterMs, prewarm.afterMs + prewarm.keepMs]
  return [keepAliveMs, ...ends].filter((end) => end > 0)
}
