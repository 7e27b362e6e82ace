// The numbers behind /metrics for one function, made to be cheap to count.
import type { StartKind } from '#core/invocation'
import type { Completion } from '#core/invoker'
import type { Outcome } from '#core/outcome'

/** Upper bounds, seconds: from a warm Wasm call to the longest build of a container. */
export const BUCKETS_S = [0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 5, 30]

type Ending = Outcome['kind'] | 'refused'

export class FunctionTally {
  readonly queue = new TimeTally()
  /** Only starts that took a sandbox of their own: a warm one has nothing to measure. */
  readonly start = new TimeTally()
  readonly run = new TimeTally()
  readonly #counts = new Map<Ending, Map<StartKind | 'none', number>>()

  completed({ outcome, start, timings }: Completion): void {
    this.#count(outcome.kind, start.kind)
    this.queue.add(timings.queueMs)
    if (start.kind !== 'warm') this.start.add(timings.startMs)
    this.run.add(timings.runMs)
  }

  refused(): void {
    this.#count('refused', 'none')
  }

  *counts(): Iterable<{ readonly outcome: Ending; readonly start: StartKind | 'none'; readonly count: number }> {
    for (const [outcome, starts] of this.#counts) {
      for (const [start, count] of starts) yield { outcome, start, count }
    }
  }

  #count(outcome: Ending, start: StartKind | 'none'): void {
    let starts = this.#counts.get(outcome)
    if (starts === undefined) {
      starts = new Map()
      this.#counts.set(outcome, starts)
    }
    starts.set(start, (starts.get(start) ?? 0) + 1)
  }
}

/** A histogram of times. */
export class TimeTally {
  /** Per bucket, not cumulated; the last one is above all bounds. */
  readonly #buckets = new Float64Array(BUCKETS_S.length + 1)
  #sumS = 0

  add(ms: number): void {
    const seconds = ms / 1000
    let bucket = 0
    while (bucket < BUCKETS_S.length && seconds > (BUCKETS_S[bucket] as number)) bucket++
    this.#buckets[bucket] = (this.#buckets[bucket] as number) + 1
    this.#sumS += seconds
  }

  /** As Prometheus wants it: cumulated, then the sum and the count. */
  series<L extends object>(
    name: string,
    labels: L,
  ): { metricName: string; labels: L & { le?: string }; value: number }[] {
    let total = 0
    const buckets = [...this.#buckets].map((count, index) => {
      total += count
      return { metricName: `${name}_bucket`, labels: { ...labels, le: `${BUCKETS_S[index] ?? '+Inf'}` }, value: total }
    })
    return [
      ...buckets,
      { metricName: `${name}_sum`, labels, value: this.#sumS },
      { metricName: `${name}_count`, labels, value: total },
    ]
  }
}
