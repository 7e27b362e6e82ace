// What is remembered of a function's idle times: plain data of a bounded size, changed only by making a new one.

export const BIN_MS = 60_000
/** With BIN_MS, the range of the histogram: 4 h. */
export const BINS = 240
export const RANGE_MS = BINS * BIN_MS
/** How many idle times beyond the range are remembered one by one. */
export const RECENT = 16
/** Two weeks of one call a minute. At this many idle times all counts are halved, so that old habits fade. */
export const MOST_COUNTED = 20_160

export interface IdleHistory {
  /** counts[i] is the number of idle times in [i, i + 1) × BIN_MS; BINS of them. */
  readonly counts: readonly number[]
  /** Sum of the counts. */
  readonly total: number
  /** Sum of the squares of the counts: with the total it gives their variation without a walk over the bins. */
  readonly squares: number
  /** Number of idle times of RANGE_MS and more. */
  readonly outOfBounds: number
  /** The last RECENT of those, whole ms, the oldest first. */
  readonly recent: readonly number[]
  /** End of the last call, ms since the epoch; undefined before the first has ended. */
  readonly endedAt: number | undefined
}

export const NO_HISTORY: IdleHistory = {
  counts: Array.from({ length: BINS }, () => 0),
  total: 0,
  squares: 0,
  outOfBounds: 0,
  recent: [],
  endedAt: undefined,
}

/**
 * The history with one more idle time.
 * @param idleMs from the end of a call to the start of the next; rounded to whole ms, below 0 counts as 0
 */
export function observe(history: IdleHistory, idleMs: number): IdleHistory {
  const idle = Math.max(0, Math.round(idleMs))
  const bin = Math.floor(idle / BIN_MS)
  if (bin >= BINS) {
    const recent = [...history.recent.slice(-(RECENT - 1)), idle]
    return faded({ ...history, outOfBounds: history.outOfBounds + 1, recent })
  }
  const count = history.counts[bin]!
  return faded({
    counts: history.counts.with(bin, count + 1),
    total: history.total + 1,
    squares: history.squares + 2 * count + 1,
    outOfBounds: history.outOfBounds,
    recent: history.recent,
    endedAt: history.endedAt,
  })
}

/** The history with `times` more idle times of less than BIN_MS; at most 1,000. */
export function observeBrief(history: IdleHistory, times: number): IdleHistory {
  const count = history.counts[0]!
  return faded({
    ...history,
    counts: history.counts.with(0, count + times),
    total: history.total + times,
    squares: history.squares + 2 * count * times + times * times,
  })
}

/**
 * A call starts on a function that had none running: its idle time becomes history. A call that finds another one
 * running has no idle time and is not reported.
 */
export function started(history: IdleHistory, now: number): IdleHistory {
  return history.endedAt === undefined ? history : observe(history, now - history.endedAt)
}

/** The last running call of the function ends. Time never goes back: an earlier `now` than before changes nothing. */
export function ended(history: IdleHistory, now: number): IdleHistory {
  const endedAt = Math.max(Math.round(now), history.endedAt ?? 0)
  const { counts, total, squares, outOfBounds, recent } = history
  return { counts, total, squares, outOfBounds, recent, endedAt }
}

/** How much of the present idle time has passed; 0 when no call has ended, and when the clock was set back. */
export function elapsedMs(history: IdleHistory, now: number): number {
  return history.endedAt === undefined ? 0 : Math.max(0, now - history.endedAt)
}

/** Share of the idle times that are beyond the range; 0 when there are none. */
export function outOfBoundsShare({ total, outOfBounds }: IdleHistory): number {
  return outOfBounds === 0 ? 0 : outOfBounds / (total + outOfBounds)
}

/**
 * Coefficient of variation of the counts (sample deviation ÷ mean): 0 for a flat histogram, √BINS when one bin holds
 * everything. 0 without counts.
 */
export function binVariation({ total, squares }: IdleHistory): number {
  if (total === 0) return 0
  const mean = total / BINS
  return Math.sqrt((squares - total * mean) / (BINS - 1)) / mean
}

function faded(history: IdleHistory): IdleHistory {
  if (history.total + history.outOfBounds < MOST_COUNTED) return history
  const counts = history.counts.map((count) => count >> 1)
  return { ...history, ...sums(counts), counts, outOfBounds: history.outOfBounds >> 1 }
}

/** The sums that a history keeps of its counts. */
export function sums(counts: readonly number[]): { readonly total: number; readonly squares: number } {
  let total = 0
  let squares = 0
  for (const count of counts) {
    total += count
    squares += count * count
  }
  return { total, squares }
}
