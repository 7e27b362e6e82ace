// The calls of one function as they happen, kept as its idle times. Told of every call: a call that comes soon after
// the one before costs an addition.
import { BIN_MS, ended, type IdleHistory, observe, observeBrief } from './idle-history.ts'

/** Few enough that counting them at once halves the counts no more than once. */
const MOST_BRIEF = 1000

/** All times are ms since the epoch. */
export class Habits {
  #past: IdleHistory
  /** Idle times of less than a bin that `#past` does not have yet. */
  #brief = 0
  #running = 0
  #endedAt: number | undefined

  constructor(past: IdleHistory) {
    this.#past = past
    this.#endedAt = past.endedAt
  }

  /** Whether a call runs. */
  get running(): boolean {
    return this.#running > 0
  }

  /** When the last call that ran ended; undefined before the first has. */
  get endedAt(): number | undefined {
    return this.#endedAt
  }

  get history(): IdleHistory {
    this.#countBrief()
    return this.#endedAt === undefined ? this.#past : ended(this.#past, this.#endedAt)
  }

  callStarted(now: number): void {
    this.#running += 1
    if (this.#running > 1 || this.#endedAt === undefined) return
    const idleMs = now - this.#endedAt
    if (idleMs >= BIN_MS) this.#past = observe(this.history, idleMs)
    else this.#brief += 1
    if (this.#brief >= MOST_BRIEF) this.#countBrief()
  }

  callEnded(now: number): void {
    this.#running -= 1
    if (this.#running === 0) this.#endedAt = Math.max(Math.round(now), this.#endedAt ?? 0)
  }

  #countBrief(): void {
    if (this.#brief === 0) return
    this.#past = observeBrief(this.#past, this.#brief)
    this.#brief = 0
  }
}
