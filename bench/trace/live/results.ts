// What a live replay comes to: each policy against a fixed window of ten minutes, and against the replay of the same
// calls in virtual time.
import { type About, type BenchResult, percentile, summarize } from '../../result.ts'
import { LIVE_POLICIES } from './policies.ts'

/** By the names of policies. */
export interface Measured {
  /** One for every app, in [0, 1]. */
  readonly coldShares: ReadonlyMap<string, readonly number[]>
  readonly virtualColdShares: ReadonlyMap<string, readonly number[]>
  /** Memory-time loaded without a call, MB·ms. */
  readonly wasted: ReadonlyMap<string, number>
  readonly virtualWasted: ReadonlyMap<string, number>
  readonly failed: number
  /** ms of the pool's clock. */
  readonly lateMs: readonly number[]
}

const BASELINE = 'fixed10'
const MB_MS_PER_GB_H = 1024 * 3_600_000

export function resultsOf(measured: Measured): readonly BenchResult[] {
  const figures = [
    {
      name: 'cold starts, 75th percentile app',
      unit: '%',
      live: (policy: string) => 100 * percentile(measured.coldShares.get(policy)!, 0.75),
      virtual: (policy: string) => 100 * percentile(measured.virtualColdShares.get(policy)!, 0.75),
    },
    {
      name: 'cold starts, mean app',
      unit: '%',
      live: (policy: string) => 100 * mean(measured.coldShares.get(policy)!),
      virtual: (policy: string) => 100 * mean(measured.virtualColdShares.get(policy)!),
    },
    {
      name: 'wasted memory-time',
      unit: 'GB·h',
      live: (policy: string) => (measured.wasted.get(policy) ?? 0) / MB_MS_PER_GB_H,
      virtual: (policy: string) => measured.virtualWasted.get(policy)! / MB_MS_PER_GB_H,
    },
  ]
  return [
    ...figures.flatMap(({ name, unit, live, virtual }) =>
      LIVE_POLICIES.flatMap(({ name: policy, title }) => [
        against({ name: `live ${name}: ${title} / fixed 10 min`, unit }, live(policy), live(BASELINE)),
        against({ name: `live ${name}: ${title} / in virtual time`, unit }, live(policy), virtual(policy)),
      ]),
    ),
    summarize({ name: 'live failed calls', unit: '', aim: { of: 'value', most: 0 } }, [measured.failed]),
    summarize({ name: 'live lateness of calls, p99, of the trace', unit: 's' }, [
      percentile(measured.lateMs, 0.99) / 1000,
    ]),
  ]
}

/** Without a ratio where there is nothing to divide by. */
function against(about: About, value: number, baseline: number): BenchResult {
  return summarize(about, [value], baseline === 0 ? undefined : [baseline])
}

function mean(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length
}
