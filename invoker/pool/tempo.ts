// What has been measured of one version: how long its calls and its starts take, and whether starting works at all.
import { Estimate } from './estimate.ts'
import type { Rung } from './sandbox-state.ts'

/** Until one has been measured. */
const ASSUMED_START_MS = 200
const ASSUMED_WAKE_MS = { paused: 1, hibernated: 30 } as const
const FIRST_BACKOFF_MS = 50
const MAX_BACKOFF_MS = 5000
/** Starts that fail in a row before those who wait are told. */
const MAX_FAILED_STARTS = 3
const MIN_RECHECK_MS = 20
const MAX_RETRY_AFTER_S = 60

/** Starts that the 95th percentile is of. */
const STARTS_KEPT = 20

/** A call that runs. */
export interface Running {
  readonly startedAt: number
  /** It was not among the first of its sandbox. */
  readonly settled: boolean
}

export class Tempo {
  readonly #serviceMs: Estimate
  /** Of calls that were the first of their sandbox: code that has not run yet takes longer. */
  readonly #firstMs: Estimate
  readonly #startMs: Estimate
  readonly #lastStarts: number[] = []
  readonly #wakeMs = { paused: new Estimate(), hibernated: new Estimate() }
  #failures = 0
  #notBefore = 0

  /** @param before of the version before this one: it is likely to be alike until this one has been measured */
  constructor(before?: Tempo) {
    this.#serviceMs = new Estimate(before === undefined ? undefined : before.#serviceMs.ms)
    this.#firstMs = new Estimate(before === undefined ? undefined : before.#firstMs.ms)
    this.#startMs = new Estimate(before === undefined ? undefined : before.#startMs.ms)
  }

  get startMs(): number {
    return this.#startMs.ms ?? ASSUMED_START_MS
  }

  /** The 95th percentile of the last starts. */
  get slowStartMs(): number {
    const sorted = this.#lastStarts.toSorted((a, b) => a - b)
    return sorted[Math.ceil(0.95 * sorted.length) - 1] ?? this.startMs
  }

  /** By how much the first calls of a sandbox take longer than later ones. */
  get settlingMs(): number {
    const longerMs = (this.#firstMs.ms ?? 0) - (this.#serviceMs.ms ?? 0)
    return Math.min(this.startMs, Math.max(0, longerMs))
  }

  wakeMs(from: Rung): number {
    return this.#wakeMs[from].ms ?? ASSUMED_WAKE_MS[from]
  }

  woke(from: Rung, ms: number): void {
    this.#wakeMs[from].add(ms)
  }

  /** Starts that failed in a row. */
  get failures(): number {
    return this.#failures
  }

  /** Whether those who wait are to be told. */
  get hopeless(): boolean {
    return this.#failures >= MAX_FAILED_STARTS
  }

  /** Not for a while after a start has failed. */
  mayStart(now: number): boolean {
    return now >= this.#notBefore
  }

  /** What a backlog is worth grows while its calls run: when to look at it again. */
  recheckMs(now: number): number {
    return Math.max(MIN_RECHECK_MS, this.startMs / 2, this.#notBefore - now)
  }

  /** How long a line takes, or a start when nothing is known of the calls. */
  retryAfterS(waiting: number, slots: number): number {
    const lineMs = (waiting * (this.#serviceMs.ms ?? this.startMs)) / Math.max(1, slots)
    return Math.min(MAX_RETRY_AFTER_S, Math.max(1, Math.ceil(lineMs / 1000)))
  }

  /** How long a call takes in a warm sandbox, by those that are over and by how long the oldest has been running. */
  serviceMs(oldest: Running | undefined, now: number): number | undefined {
    const measured = this.#serviceMs.ms
    if (oldest === undefined) return measured
    const ageMs = now - oldest.startedAt
    return Math.max(measured ?? 0, oldest.settled ? ageMs : this.#beyondSettling(ageMs))
  }

  /** @param settled as of Running */
  served(ms: number, settled: boolean): void {
    if (settled) return this.#serviceMs.add(ms)
    this.#firstMs.add(ms)
    const own = this.#beyondSettling(ms)
    if (own > 0) this.#serviceMs.add(own)
  }

  /** Of a first call, what is sure to be its own: to run code for the first time takes no longer than to start it. */
  #beyondSettling(ms: number): number {
    return Math.max(0, ms - this.startMs)
  }

  started(ms: number): void {
    this.#startMs.add(ms)
    this.#lastStarts.push(ms)
    if (this.#lastStarts.length > STARTS_KEPT) this.#lastStarts.shift()
    this.#failures = 0
    this.#notBefore = 0
  }

  /** Doubles the wait before the next start each time. */
  startFailed(now: number): void {
    this.#notBefore = now + Math.min(MAX_BACKOFF_MS, FIRST_BACKOFF_MS * 2 ** this.#failures)
    this.#failures += 1
  }
}
