import { describe, expect, it } from 'vitest'

import { fixed } from '#invoker/pool/keep-alive/fixed'
import { ended, NO_HISTORY, observe, RANGE_MS } from '#invoker/pool/keep-alive/idle-history'

describe('fixed()', () => {
  it.each([
    { windowMs: 600_000, sinceMs: 0, keepAliveMs: 600_000 },
    { windowMs: 600_000, sinceMs: 250_000, keepAliveMs: 600_000 - 250_000 },
    { windowMs: 600_000, sinceMs: 700_000, keepAliveMs: 0 },
    { windowMs: 0, sinceMs: 0, keepAliveMs: 0 },
  ])('leaves $keepAliveMs ms of $windowMs ms when $sinceMs ms have passed', ({ windowMs, sinceMs, keepAliveMs }) => {
    expect(fixed(windowMs)(ended(NO_HISTORY, 5_000), 5_000 + sinceMs)).toEqual({
      keepAliveMs,
      prewarm: undefined,
      basis: 'fixed',
    })
  })

  it('is the same whatever the history says', () => {
    const history = ended([0, RANGE_MS, 70_000].reduce(observe, NO_HISTORY), 0)
    expect(fixed(1_000)(history, 0)).toEqual(fixed(1_000)(ended(NO_HISTORY, 0), 0))
  })
})
