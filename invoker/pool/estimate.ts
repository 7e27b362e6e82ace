/** An exponentially weighted mean of durations; a fifth of each new one. */
export class Estimate {
  #ms: number | undefined

  /** @param ms to begin with */
  constructor(ms?: number) {
    this.#ms = ms
  }

  /** Undefined while nothing has been seen. */
  get ms(): number | undefined {
    return this.#ms
  }

  add(ms: number): void {
    this.#ms = this.#ms === undefined ? ms : this.#ms + 0.2 * (ms - this.#ms)
  }
}
