import { describe, expect, it } from 'vitest'

import { arrivals, callsPerDay, durationS, functionsPerApp, memoryMB } from '#bench/trace/azure-2019'
import { generate } from '#bench/trace/generate'
import { gamma, hyperExponential, type Random, seeded } from '#bench/trace/random'

const DRAWS = 50_000

function draw(of: (random: Random) => number): number[] {
  const random = seeded(42)
  return Array.from({ length: DRAWS }, () => of(random))
}

function shareBelow(values: readonly number[], limit: number): number {
  return values.filter((value) => value < limit).length / values.length
}

function meanOf(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length
}

function variationOf(values: readonly number[]): number {
  const mean = meanOf(values)
  return Math.sqrt(meanOf(values.map((value) => (value - mean) ** 2))) / mean
}

describe('the published distributions', () => {
  it.each([
    { limit: 24, share: 0.45 },
    { limit: 1440, share: 0.814 },
    { limit: 86_400, share: 0.97 },
    { limit: 10 ** 6.5, share: 1 },
    // Half-way between two knots on both scales.
    { limit: Math.sqrt(24 / 14), share: 0.45 / 2 },
  ])('have $share of the apps below $limit calls a day', ({ limit, share }) => {
    expect(shareBelow(draw(callsPerDay), limit)).toBeCloseTo(share, 2)
  })

  it.each([
    { functions: 1, share: 0.54 },
    { functions: 2, share: 0.54 + 0.16 },
    { functions: 3, share: 0.54 + 0.16 + 0.1 },
    { functions: 10, share: 0.95 },
  ])('have $share of the apps with at most $functions functions', ({ functions, share }) => {
    expect(shareBelow(draw(functionsPerApp), functions + 0.5)).toBeCloseTo(share, 2)
  })

  it('have the log-normal durations', () => {
    const durations = draw(durationS)
    expect(shareBelow(durations, Math.exp(-0.38))).toBeCloseTo(0.5, 2)
    // One deviation above the median of a normal distribution.
    expect(shareBelow(durations, Math.exp(-0.38 + 2.36))).toBeCloseTo(0.8413, 2)
  })

  it('have the Burr XII memory', () => {
    const memory = draw(memoryMB)
    for (const share of [0.25, 0.5, 0.9]) {
      const quantile = 107.083 * ((1 - share) ** (-1 / 0.221) - 1) ** (1 / 11.652)
      expect(shareBelow(memory, quantile)).toBeCloseTo(share, 2)
    }
  })

  it('have timers, gamma and hyper-exponential arrivals in their shares', () => {
    const random = seeded(7)
    const kinds = Array.from({ length: DRAWS }, () => arrivals(random, 24).kind)
    const share = (kind: string): number => kinds.filter((each) => each === kind).length / DRAWS
    expect(share('timer')).toBeCloseTo(0.13, 2)
    expect(share('gamma')).toBeCloseTo(0.87 * 0.54, 2)
    expect(share('hyper-exponential')).toBeCloseTo(0.87 * 0.46, 2)
  })

  it.each([0.1, 0.5, 1])('have gamma times of mean 1 and variation %d', (cv) => {
    const times = draw((random) => gamma(random, cv))
    expect(meanOf(times)).toBeCloseTo(1, 1)
    expect(variationOf(times) / cv).toBeCloseTo(1, 1)
  })

  it.each([1.5, 3])('have hyper-exponential times of mean 1 and variation %d', (cv) => {
    const times = draw((random) => hyperExponential(random, cv))
    expect(meanOf(times)).toBeCloseTo(1, 1)
    expect(variationOf(times) / cv).toBeCloseTo(1, 1)
  })
})

describe('generate()', () => {
  const shape = { apps: 60, days: 3, unit: 'app' } as const

  it('makes the same trace of the same seed', () => {
    expect(generate(5, shape)).toEqual(generate(5, shape))
    expect(generate(5, shape)).not.toEqual(generate(6, shape))
  })

  it('makes rising starts within what is replayed, for apps that are called', () => {
    for (const { units, spanMs, scale } of generate(5, shape)) {
      for (const { starts } of units) {
        expect(starts.length).toBeGreaterThan(0)
        expect(starts).toEqual(starts.toSorted((a, b) => a - b))
        expect(starts.at(-1)).toBeLessThanOrEqual(spanMs)
      }
      expect(scale * spanMs).toBeCloseTo(3 * 86_400_000, 3)
    }
  })

  it('spreads the same calls over functions when these are kept warm one by one', () => {
    const spread = generate(5, { ...shape, unit: 'function' })
    const merged = spread.map(({ units }) => units.flatMap(({ starts }) => starts).toSorted((a, b) => a - b))
    expect(merged).toEqual(generate(5, shape).map(({ units }) => units[0]!.starts))
    expect(spread.some(({ units }) => units.length > 1)).toBe(true)
  })

  it('has every call of apps whose rate is cut, and leaves the others as they are', () => {
    const cut = generate(5, { ...shape, mostCallsPerDay: 48 })
    const whole = new Map(generate(5, shape).map((app) => [app.memoryMB, app]))
    for (const app of cut) {
      expect(app).toMatchObject({ spanMs: 3 * 86_400_000, scale: 1 })
      expect(app.callsPerDay).toBeLessThanOrEqual(48)
      if (app.callsPerDay < 48) expect(app).toEqual(whole.get(app.memoryMB))
    }
    expect(cut.some((app) => app.callsPerDay === 48)).toBe(true)
  })
})
