import { describe, expect, it } from 'vitest'

import { scaledClock } from '#bench/trace/live/scaled-clock'
import { ManualClock } from '#test/invoker/manual-clock'

describe('scaledClock()', () => {
  it('shows the time that it was given, and goes on faster than the real one', async () => {
    const real = new ManualClock()
    const clock = scaledClock(360, 5000, real)
    expect([clock.now(), clock.monotonic()]).toEqual([5000, 0])
    await real.pass(10)
    expect([clock.now(), clock.monotonic()]).toEqual([8600, 3600])
  })

  it('fires timers when its own time has come', async () => {
    const real = new ManualClock()
    const clock = scaledClock(360, 0, real)
    const fired: number[] = []
    clock.after(3600, () => fired.push(clock.monotonic()))
    using _each = clock.every(1800, () => fired.push(-clock.monotonic()))
    await real.pass(10)
    expect(fired.toSorted((a, b) => a - b)).toEqual([-3600, -1800, 3600])
  })
})
