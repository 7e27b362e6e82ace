import { describe, expect, it } from 'vitest'

import {
  BIN_MS,
  BINS,
  binVariation,
  elapsedMs,
  ended,
  type IdleHistory,
  MOST_COUNTED,
  NO_HISTORY,
  observe,
  outOfBoundsShare,
  RANGE_MS,
  RECENT,
  started,
  sums,
} from '#invoker/pool/keep-alive/idle-history'

function observeAll(idleTimes: readonly number[], from: IdleHistory = NO_HISTORY): IdleHistory {
  return idleTimes.reduce(observe, from)
}

describe('observe()', () => {
  it.each([
    { idleMs: 0, bin: 0 },
    { idleMs: -5, bin: 0 },
    { idleMs: BIN_MS - 1, bin: 0 },
    { idleMs: BIN_MS - 0.5, bin: 1 },
    { idleMs: BIN_MS, bin: 1 },
    { idleMs: 90 * BIN_MS, bin: 90 },
    { idleMs: RANGE_MS - 1, bin: BINS - 1 },
  ])('counts $idleMs ms in bin $bin', ({ idleMs, bin }) => {
    const history = observe(NO_HISTORY, idleMs)
    expect(history.counts.flatMap((count, index) => (count === 0 ? [] : [[index, count]]))).toEqual([[bin, 1]])
    expect(history).toMatchObject({ total: 1, squares: 1, outOfBounds: 0, recent: [] })
  })

  it('remembers an idle time of the range and more by itself, not in a bin', () => {
    expect(observeAll([RANGE_MS, 26 * 3_600_000])).toMatchObject({
      total: 0,
      outOfBounds: 2,
      recent: [4 * 3_600_000, 26 * 3_600_000],
    })
  })

  it('remembers only the last of the long idle times', () => {
    const long = Array.from({ length: RECENT + 3 }, (_, index) => RANGE_MS + index)
    expect(observeAll(long)).toMatchObject({ outOfBounds: RECENT + 3, recent: long.slice(3) })
  })

  it('leaves the history that it was given as it was', () => {
    const before = structuredClone(NO_HISTORY)
    observeAll([0, RANGE_MS])
    expect(NO_HISTORY).toEqual(before)
  })

  it('keeps the sums in step with the counts', () => {
    const history = observeAll([0, 0, 0, BIN_MS, 7 * BIN_MS])
    expect(history).toMatchObject({ total: 3 + 1 + 1, squares: 3 * 3 + 1 + 1 })
    expect(sums(history.counts)).toEqual({ total: history.total, squares: history.squares })
  })

  it('halves all counts when they reach the limit, so that new habits outweigh old ones', () => {
    const full = observeAll(
      Array.from({ length: MOST_COUNTED - 3 }, () => 0),
      observeAll([RANGE_MS, RANGE_MS]),
    )
    expect(full).toMatchObject({ total: MOST_COUNTED - 3, outOfBounds: 2 })
    expect(observe(full, BIN_MS)).toMatchObject({
      total: Math.floor((MOST_COUNTED - 3) / 2),
      squares: Math.floor((MOST_COUNTED - 3) / 2) ** 2,
      outOfBounds: 2 / 2,
      recent: [RANGE_MS, RANGE_MS],
    })
  })
})

describe('started() and ended()', () => {
  it('make the time between calls an idle time', () => {
    const history = started(ended(NO_HISTORY, 1_000), 1_000 + 3 * BIN_MS)
    expect(history.counts[3]).toBe(1)
  })

  it('know no idle time before the first call has ended', () => {
    expect(started(NO_HISTORY, 5_000)).toBe(NO_HISTORY)
    expect(elapsedMs(NO_HISTORY, 5_000)).toBe(0)
  })

  it('never go back with a clock that was set back', () => {
    const history = ended(ended(NO_HISTORY, 9_000), 4_000)
    expect(history.endedAt).toBe(9_000)
    expect(elapsedMs(history, 4_000)).toBe(0)
    expect(started(history, 4_000).counts[0]).toBe(1)
  })
})

describe('outOfBoundsShare()', () => {
  it.each([
    { within: 0, beyond: 0, share: 0 },
    { within: 4, beyond: 0, share: 0 },
    { within: 1, beyond: 1, share: 1 / 2 },
    { within: 0, beyond: 3, share: 1 },
    { within: 3, beyond: 1, share: 1 / 4 },
  ])('is $share of $within idle times within and $beyond beyond the range', ({ within, beyond, share }) => {
    const history = observeAll([
      ...Array.from({ length: within }, () => 0),
      ...Array.from({ length: beyond }, () => RANGE_MS),
    ])
    expect(outOfBoundsShare(history)).toBe(share)
  })
})

describe('binVariation()', () => {
  it.each([
    { name: 'of no counts', idleTimes: [], variation: 0 },
    { name: 'of a flat histogram', idleTimes: Array.from({ length: BINS }, (_, bin) => bin * BIN_MS), variation: 0 },
    // One bin in n has all of them: deviation² = (1 − 1/n)² + (n − 1) ÷ n² over n − 1, and so √n of the mean.
    { name: 'of one idle time', idleTimes: [0], variation: Math.sqrt(BINS) },
    { name: 'of many in one bin', idleTimes: [5, 5, 5, 5].map((bin) => bin * BIN_MS), variation: Math.sqrt(BINS) },
    // k of n bins with one each: mean k/n, squares k − k²/n over n − 1.
    {
      name: 'of sixty bins with one each',
      idleTimes: Array.from({ length: 60 }, (_, bin) => bin * BIN_MS),
      variation: Math.sqrt((60 - 60 ** 2 / BINS) / (BINS - 1)) / (60 / BINS),
    },
  ])('is the sample deviation over the mean $name', ({ idleTimes, variation }) => {
    expect(binVariation(observeAll(idleTimes))).toBeCloseTo(variation, 10)
  })
})
