// What the calls of a function with a latency objective took, and how often they come. Decides nothing: latency.ts does.

/** Calls that the percentiles are of. */
const WINDOW = 256
const RATE_SHARE = 0.3
const LEAST_LOOK_S = 0.5
/** As long as the function has been called in this time it counts as in use. */
const IN_USE_MS = 24 * 3_600_000
/** Fewer calls say nothing of one in twenty. */
const LEAST_CALLS = 20

/** All times are monotonic ms. */
export class LatencyWatch {
  readonly #totals = new Ring()
  readonly #runs = new Ring()
  #calls = 0
  #lastCallAt = -Infinity
  #rate = 0
  #lookedAt: number

  constructor(now: number) {
    this.#lookedAt = now
  }

  get callsPerS(): number {
    return this.#rate
  }

  /** Mean and 95th percentile of the run; undefined while no call has been seen. */
  get run(): { readonly meanMs: number; readonly p95Ms: number } | undefined {
    return this.#runs.count === 0 ? undefined : { meanMs: this.#runs.mean(), p95Ms: this.#runs.p95() }
  }

  /** Of the last 256 calls, waiting and starting included; undefined while there were too few. */
  get p95Ms(): number | undefined {
    return this.#totals.count < LEAST_CALLS ? undefined : this.#totals.p95()
  }

  inUse(now: number): boolean {
    return now - this.#lastCallAt < IN_USE_MS
  }

  called(totalMs: number, runMs: number, now: number): void {
    this.#calls += 1
    this.#lastCallAt = now
    this.#totals.add(totalMs)
    this.#runs.add(runMs)
  }

  /** Brings the rate up to date: up at once, down slowly. */
  look(now: number): void {
    const passedS = (now - this.#lookedAt) / 1000
    // It is looked at whenever a sandbox falls idle as well; in a moment there are none or too many.
    if (passedS < LEAST_LOOK_S) return
    const rate = this.#calls / passedS
    this.#rate = Math.max(rate, this.#rate + RATE_SHARE * (rate - this.#rate))
    if (this.#rate < 0.01) this.#rate = 0
    this.#calls = 0
    this.#lookedAt = now
  }
}

class Ring {
  readonly #values = new Float64Array(WINDOW)
  #next = 0
  count = 0

  add(value: number): void {
    this.#values[this.#next] = value
    this.#next = (this.#next + 1) % WINDOW
    this.count = Math.min(WINDOW, this.count + 1)
  }

  mean(): number {
    return this.#values.subarray(0, this.count).reduce((sum, value) => sum + value, 0) / this.count
  }

  p95(): number {
    const sorted = this.#values.slice(0, this.count).toSorted()
    return sorted[Math.ceil(0.95 * this.count) - 1] ?? 0
  }
}
