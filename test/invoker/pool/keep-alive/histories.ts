// Histories for tests: spelled out, or random from a seed. Checks nothing.
import { BIN_MS, type IdleHistory, NO_HISTORY, observe } from '#invoker/pool/keep-alive/idle-history'

export const MINUTE_MS = BIN_MS
export const HOUR_MS = 60 * BIN_MS

/** `[times, idle minutes]` pairs, in this order. */
export function historyOf(...idleTimes: readonly (readonly [times: number, minutes: number])[]): IdleHistory {
  const each = idleTimes.flatMap(([times, minutes]) => Array.from({ length: times }, () => minutes * MINUTE_MS))
  return each.reduce(observe, NO_HISTORY)
}

/** Up to 400 idle times around a few centres, from seconds to days. The same seed gives the same history. */
export function randomHistory(seed: number): IdleHistory {
  let state = seed
  const random = (): number => (state = (state * 48_271) % 2_147_483_647) / 2_147_483_647
  const centres = Array.from({ length: 1 + Math.floor(4 * random()) }, () => 10 ** (3 + 6 * random()))
  const idleTimes = Array.from({ length: Math.floor(400 * random()) }, () => {
    const centre = centres[Math.floor(random() * centres.length)]!
    return centre * (0.5 + random())
  })
  return idleTimes.reduce(observe, NO_HISTORY)
}
