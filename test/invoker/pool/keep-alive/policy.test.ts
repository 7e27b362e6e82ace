import { describe, expect, it } from 'vitest'

import { keepFor, remaining } from '#invoker/pool/keep-alive/policy'

describe('remaining()', () => {
  const plan = { keepMs: 100, fromMs: 1_000, untilMs: 3_000 }

  it.each([
    { elapsed: 0, keepAliveMs: 100, prewarm: { afterMs: 1_000, keepMs: 3_000 - 1_000 } },
    { elapsed: 60, keepAliveMs: 100 - 60, prewarm: { afterMs: 1_000 - 60, keepMs: 3_000 - 1_000 } },
    { elapsed: 400, keepAliveMs: 0, prewarm: { afterMs: 1_000 - 400, keepMs: 3_000 - 1_000 } },
    { elapsed: 1_000, keepAliveMs: 3_000 - 1_000, prewarm: undefined },
    { elapsed: 2_999, keepAliveMs: 1, prewarm: undefined },
    { elapsed: 9_000, keepAliveMs: 0, prewarm: undefined },
  ])('leaves of a plan what comes after $elapsed ms', ({ elapsed, keepAliveMs, prewarm }) => {
    expect(remaining(plan, elapsed, 'forecast')).toEqual({ keepAliveMs, prewarm, basis: 'forecast' })
  })

  it('makes one of windows that touch', () => {
    expect(remaining({ keepMs: 100, fromMs: 90, untilMs: 300 }, 0, 'histogram')).toEqual({
      keepAliveMs: 300,
      prewarm: undefined,
      basis: 'histogram',
    })
  })

  it('rounds to whole ms', () => {
    expect(remaining({ keepMs: 0.2, fromMs: 10.7, untilMs: 20.1 }, 0, 'forecast')).toEqual({
      keepAliveMs: 0,
      prewarm: { afterMs: 11, keepMs: 20 - 11 },
      basis: 'forecast',
    })
  })
})

describe('keepFor()', () => {
  it('plans one window and nothing ahead of a call', () => {
    expect(remaining(keepFor(500), 200, 'standard')).toEqual({
      keepAliveMs: 500 - 200,
      prewarm: undefined,
      basis: 'standard',
    })
  })
})
