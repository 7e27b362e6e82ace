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

export class Tempo {
  readonly #serviceMs = new Estimate()
  readonly #startMs = new Estimate()
  readonly #wakeMs = { paused: new Estimate(), hibernated: new Estimate() }
  #failures = 0
  #notBefore = 0

  get startMs(): number {
    return this.#startMs.ms ?? ASSUMED_START_MS
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

  /** How long a call takes, by those that are over and by how long the oldest has been running. */
  serviceMs(oldestAgeMs: number | undefined): number | undefined {
    const measured = this.#serviceMs.ms
    if (oldestAgeMs === undefined) return measured
    return Math.max(measured ?? 0, oldestAgeMs)
  }

  served(ms: number): void {
    this.#serviceMs.add(ms)
  }

  started(ms: number): void {
    this.#startMs.add(ms)
    this.#failures = 0
    this.#notBefore = 0
  }

  /** Doubles the wait before the next start each time. */
  startFailed(now: number): void {
    this.#notBefore = now + Math.min(MAX_BACKOFF_MS, FIRST_BACKOFF_MS * 2 ** this.#failures)
    this.#failures += 1
  }
}
