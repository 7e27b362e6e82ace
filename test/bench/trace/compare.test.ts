import { describe, expect, it } from 'vitest'

import { fixedOfEqualWaste, total } from '#bench/trace/compare'
import { generate } from '#bench/trace/generate'
import { fixed } from '#invoker/pool/keep-alive/fixed'

const apps = generate(3, { apps: 80, days: 3, unit: 'app' })

describe('total()', () => {
  it('has more cold starts and less waste the shorter the window is', () => {
    const [short, long] = [total(apps, fixed(60_000)), total(apps, fixed(3_600_000))]
    expect(short.wasted).toBeLessThan(long.wasted)
    expect(short.coldShares.every((share, index) => share >= long.coldShares[index]!)).toBe(true)
  })

  it('wastes nothing without keep-alive', () => {
    expect(total(apps, fixed(0)).wasted).toBe(0)
  })
})

describe('fixedOfEqualWaste()', () => {
  it.each([15, 60, 600])('finds the fixed window of %d min by its waste', (minutes) => {
    const { wasted } = total(apps, fixed(minutes * 60_000))
    const found = fixedOfEqualWaste(apps, wasted)
    expect(found.totals.wasted / wasted).toBeCloseTo(1, 2)
    expect(found.windowMs / (minutes * 60_000)).toBeCloseTo(1, 1)
  })
})
