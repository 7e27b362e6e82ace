// When a function that is called less than every four hours is expected again. Stands where the paper has ARIMA;
// docs/keep-alive.md says why.

/** Of the remembered idle times, the share that the window is to hold. */
const HELD_SHARE = 0.9
const MARGIN = 0.15
/** A window is never longer, however scattered the calls are: it bounds what one call can cost. */
const LONGEST_WINDOW_MS = 48 * 3_600_000

/**
 * The window in which the next call is expected: the shortest interval that holds 90 % of the idle times, with 15 %
 * below its start and above its end. Of n idle times that could have come in any order, the next lies between the
 * least and the greatest with probability (n − 1) ÷ (n + 1), whatever their distribution is.
 * @param idleTimes ms, at least one
 * @returns ms from the end of the last call
 */
export function expectedWindow(idleTimes: readonly number[]): { readonly fromMs: number; readonly untilMs: number } {
  const sorted = idleTimes.toSorted((a, b) => a - b)
  const held = Math.ceil(HELD_SHARE * sorted.length)
  let least = 0
  for (let first = 1; first + held <= sorted.length; first++) {
    if (width(sorted, first, held) < width(sorted, least, held)) least = first
  }
  const fromMs = sorted[least]! * (1 - MARGIN)
  return { fromMs, untilMs: Math.min(sorted[least + held - 1]! * (1 + MARGIN), fromMs + LONGEST_WINDOW_MS) }
}

function width(sorted: readonly number[], first: number, held: number): number {
  return sorted[first + held - 1]! - sorted[first]!
}
