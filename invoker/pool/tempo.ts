// What has been measured of one version: how long its calls and its starts take, and whether starting works at all.
import { Estimate } from './estimate.ts'

/** Until a start has been measured. */
const ASSUMED_START_MS = 200
const FIRST_BACKOFF_MS = 50
const MAX_BACKOFF_MS = 5000

export class Tempo {
  readonly #serviceMs = new Estimate()
  readonly #startMs = new Estimate()
  /** Starts that failed in a row. */
  #failures = 0
  #notBefore = 0

  get startMs(): number {
    return this.#startMs.ms ?? ASSUMED_START_MS
  }

  get failures(): number {
    return this.#failures
  }

  /** No start before; monotonic ms. */
  get notBefore(): number {
    return this.#notBefore
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
