import { describe, expect, it } from 'vitest'

import { decodeHistory, encodeHistory } from '#invoker/pool/keep-alive/encode'
import {
  BINS,
  ended,
  type IdleHistory,
  MOST_COUNTED,
  NO_HISTORY,
  RECENT,
  sums,
} from '#invoker/pool/keep-alive/idle-history'

import { historyOf, MINUTE_MS, randomHistory } from './histories.ts'

const END = 1_800_000_000_000

describe('encodeHistory()', () => {
  it.each([
    { name: 'a function that was never called', history: NO_HISTORY },
    { name: 'one call', history: ended(NO_HISTORY, END) },
    { name: 'a call at the epoch', history: ended(NO_HISTORY, 0) },
    { name: 'every kind of idle time', history: ended(historyOf([200, 0], [3, 239], [40, 24 * 60]), END) },
  ])('keeps $name as it is', ({ history }) => {
    expect(decodeHistory(encodeHistory(history))).toEqual(history)
  })

  it('keeps any history as it is', () => {
    for (let seed = 1; seed <= 300; seed++) {
      const history = ended(randomHistory(seed), END + seed)
      expect(decodeHistory(encodeHistory(history))).toEqual(history)
    }
  })

  it('is short for what functions mostly do, and never longer than 1 KB', () => {
    expect(encodeHistory(ended(historyOf([500, 30]), END)).length).toBeLessThanOrEqual(20)
    expect(encodeHistory(largest()).length).toBeLessThanOrEqual(1024)
    expect(decodeHistory(encodeHistory(largest()))).toEqual(largest())
  })
})

describe('decodeHistory()', () => {
  const good = encodeHistory(ended(historyOf([9, 30], [2, 24 * 60]), END))

  it.each([
    { name: 'nothing', text: '' },
    { name: 'something else', text: '{"bins":[]}' },
    { name: 'another format', text: bytes(2, 0, 0, 0) },
    { name: 'what was cut off', text: good.slice(0, -2) },
    { name: 'a number without its end', text: bytes(1, 0, 0, 0, 1, 0x80) },
    { name: 'a count without a bin', text: bytes(1, 0, 0, 0, 5) },
    { name: 'a bin that is named twice', text: bytes(1, 0, 0, 0, 1, 5, 0, 5) },
    { name: 'a bin beyond the range', text: bytes(1, 0, 0, 0, ...leb(BINS + 1), 5) },
    { name: 'more counts than a history has', text: bytes(1, 0, 0, 0, 1, ...leb(MOST_COUNTED)) },
    { name: 'long idle times that are not remembered', text: bytes(1, 0, 3, 0) },
    { name: 'a long idle time that is short', text: bytes(1, 0, 1, 1, 7) },
    { name: 'more long idle times than are remembered', text: bytes(1, 0, 20, 17, ...long(17)) },
  ])('does not take $name for a history', ({ text }) => {
    expect(decodeHistory(text)).toBeUndefined()
  })
})

/** The history with the longest text: as many counts of two bytes as fit, and idle times of decades. */
function largest(): IdleHistory {
  const twoBytes = Math.floor((MOST_COUNTED - 1 - BINS) / 127)
  const counts = Array.from({ length: BINS }, (_, bin) => (bin < twoBytes ? 128 : 1))
  const recent = Array.from({ length: RECENT }, () => 50 * 365 * 24 * 60 * MINUTE_MS)
  return { counts, ...sums(counts), outOfBounds: 1, recent, endedAt: 10 * END }
}

function bytes(...values: readonly number[]): string {
  return Buffer.from(values).toString('base64url')
}

function leb(value: number): number[] {
  return value < 128 ? [value] : [(value % 128) + 128, ...leb(Math.floor(value / 128))]
}

function long(times: number): number[] {
  return Array.from({ length: times }, () => leb(5 * 60 * MINUTE_MS)).flat()
}
