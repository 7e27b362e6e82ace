import { describe, expect, it } from 'vitest'

import { median, percentile, summarize, summarizeAll } from '#bench/result'

const about = { name: 'cold', unit: 'ms' }

describe('median() and percentile()', () => {
  it('take the lower one of two in the middle, and a value that was measured', () => {
    expect(median([4, 1, 3, 2])).toBe(2)
    expect(percentile([1, 2, 3, 4], 0.99)).toBe(4)
    expect(percentile([3, 1, 2], 0.5)).toBe(2)
  })
})

describe('summarize()', () => {
  it('takes the ratio round by round, so that a slow round does not change it', () => {
    expect(summarize(about, [10, 100, 12], [5, 50, 4])).toMatchObject({ value: 12, baseline: 5, ratio: 2, runs: 3 })
  })

  it.each([
    { aim: { of: 'value', most: 6 } as const, values: [6], met: true, text: 'value ≤ 6' },
    { aim: { of: 'value', most: 6 } as const, values: [6.1], met: false, text: 'value ≤ 6' },
    { aim: { of: 'value', most: 0 } as const, values: [0], met: true, text: 'value ≤ 0' },
    { aim: { of: 'ratio', least: 2 } as const, values: [9], met: true, text: 'ratio ≥ 2' },
  ])('says whether $text is met by $values', ({ aim, values, met, text }) => {
    expect(summarize({ ...about, aim }, values, [4])).toMatchObject({ met, aim: text })
  })
})

describe('summarizeAll()', () => {
  it('takes the percentile of all rounds together, and says how many rounds there were', () => {
    const result = summarizeAll(about, 0.99, [[1, 2], [30], [3]], [[10], [5], [2]])
    expect(result).toMatchObject({ value: 30, baseline: 10, ratio: 3, runs: 3 })
  })
})
