import type { Clock } from '#core/clock'
import type { LinkedList } from '#core/linked-list'

import type { RunningCall } from './running-call.ts'

/**
 * Cause: a call has run for its limit. One timer for all calls of a sandbox: they have the same limit, so the oldest
 * is due first.
 */
export class Deadlines implements Disposable {
  readonly #clock: Clock
  /** Oldest first. */
  readonly #calls: LinkedList<RunningCall>
  #timer: Disposable | undefined

  constructor(clock: Clock, calls: LinkedList<RunningCall>) {
    this.#clock = clock
    this.#calls = calls
  }

  /** To be called when a call was added. */
  watch(): void {
    if (this.#timer !== undefined) return
    const oldest = this.#calls.first
    if (oldest === undefined) return
    const ms = Math.max(0, oldest.deadline - this.#clock.monotonic())
    this.#timer = this.#clock.after(ms, () => this.#due())
  }

  [Symbol.dispose](): void {
    this.#timer?.[Symbol.dispose]()
  }

  /** Timers may fire a little early: what is due within a millisecond is due. */
  #due(): void {
    this.#timer = undefined
    const now = this.#clock.monotonic() + 1
    const due = this.#calls.toArray().filter(({ over, deadline }) => !over && deadline <= now)
    for (const call of due) call.stop({ kind: 'timed-out', limitMs: call.limitMs })
    const next = this.#calls.toArray().find(({ over }) => !over)
    if (next === undefined) return
    this.#timer = this.#clock.after(Math.max(0, next.deadline - now + 1), () => this.#due())
  }
}
