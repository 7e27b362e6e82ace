// The policy that learns: the hybrid histogram of Shahrad et al., "Serverless in the Wild", USENIX ATC 2020, with its
// published parameters. docs/keep-alive.md has a worked example and says where this differs from the paper.
import { expectedWindow } from './forecast.ts'
import { BIN_MS, binVariation, elapsedMs, type IdleHistory, outOfBoundsShare, RANGE_MS } from './idle-history.ts'
import { type KeepAliveDecision, type KeepAlivePolicy, keepFor, type Plan, remaining } from './policy.ts'

/** From this share of idle times beyond the range on, the histogram does not decide any more: a forecast does. */
const OUT_OF_BOUNDS_SHARE = 0.5
/** From this share on, the expected window is loaded besides what the histogram says: ours, the paper has none. */
const ALSO_EXPECTED_SHARE = 0.1
/** Below this variation of the bin counts the histogram is too flat, or too new, to say anything. */
const LEAST_VARIATION = 2
const HEAD_SHARE = 0.05
const TAIL_SHARE = 0.99
const MARGIN = 0.1
/**
 * As long as there is no idle time to learn from: ours. The paper keeps a new function for the whole range; who tries a
 * function once should not find it in memory four hours later.
 */
const UNKNOWN_MS = 10 * BIN_MS
/** Not unloaded for less than one bin: ours. The paper counts memory only, and not the work of loading again. */
const SHORTEST_GAP_MS = BIN_MS

/** Plans the idle time of a function most of whose idle times are beyond the range, so at least one is in `recent`. */
export type Forecast = (history: IdleHistory) => Plan

export interface HybridHistogramOptions {
  readonly forecast?: Forecast
  /** In [0, 0.5]; 0.5 is the policy as published. */
  readonly alsoExpectedShare?: number
  /** How long a function stays of which no idle time is known; RANGE_MS is the policy as published. */
  readonly unknownMs?: number
}

/** The defaults are what Hearth runs with; the options are for comparison. */
export function hybridHistogram(options: HybridHistogramOptions = {}): KeepAlivePolicy {
  const { forecast = rareCalls, alsoExpectedShare = ALSO_EXPECTED_SHARE, unknownMs = UNKNOWN_MS } = options
  return (history, now) => {
    const share = outOfBoundsShare(history)
    const forecasts = share >= OUT_OF_BOUNDS_SHARE
    const [within, basis] = forecasts ? [forecast(history), 'forecast' as const] : plannedWithin(history, unknownMs)
    const plan = !forecasts && share > 0 && share >= alsoExpectedShare ? alsoExpected(within, history) : within
    return remaining(worthUnloading(plan), elapsedMs(history, now), basis)
  }
}

/** Plans by the idle times within the range. */
function plannedWithin(history: IdleHistory, unknownMs: number): [plan: Plan, basis: KeepAliveDecision['basis']] {
  if (history.total === 0) return [keepFor(unknownMs), 'standard']
  if (binVariation(history) < LEAST_VARIATION) return [keepFor(RANGE_MS), 'standard']
  return [plannedByHistogram(history), 'histogram']
}

/** Loaded from the head of the histogram to its tail, each with a margin. */
function plannedByHistogram(history: IdleHistory): Plan {
  const fromMs = binAt(history, HEAD_SHARE) * BIN_MS * (1 - MARGIN)
  return { keepMs: 0, fromMs, untilMs: tailMs(history) }
}

/**
 * Stays for what the histogram holds, for calls that come in groups, and is back for the window in which the next
 * group is expected.
 */
function rareCalls(history: IdleHistory): Plan {
  const keepMs = history.total === 0 ? 0 : tailMs(history)
  return { keepMs, ...expectedWindow(history.recent) }
}

function alsoExpected(within: Plan, history: IdleHistory): Plan {
  return { keepMs: Math.max(within.keepMs, within.untilMs), ...expectedWindow(history.recent) }
}

/** Upper end of the bin of the 99th percentile, with the margin. */
function tailMs(history: IdleHistory): number {
  return (binAt(history, TAIL_SHARE) + 1) * BIN_MS * (1 + MARGIN)
}

/** The bin in which the counts, summed up from the shortest idle times, reach the share. */
function binAt({ counts, total }: IdleHistory, share: number): number {
  const wanted = share * total
  let bin = 0
  for (let sum = counts[0]!; sum < wanted; sum += counts[bin]!) bin++
  return bin
}

function worthUnloading(plan: Plan): Plan {
  return plan.fromMs - plan.keepMs < SHORTEST_GAP_MS ? keepFor(Math.max(plan.keepMs, plan.untilMs)) : plan
}
