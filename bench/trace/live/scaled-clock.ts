// A clock by which days pass in minutes.
import { type Clock, systemClock } from '#core/clock'

/**
 * @param scale ms of this clock in a real one
 * @param from what it shows at first, ms since the epoch
 */
export function scaledClock(scale: number, from: number, real: Clock = systemClock): Clock {
  const began = real.monotonic()
  const monotonic = (): number => (real.monotonic() - began) * scale
  return {
    now: () => Math.round(from + monotonic()),
    monotonic,
    after: (ms, task) => real.after(ms / scale, task),
    every: (ms, task) => real.every(ms / scale, task),
  }
}
