// When to look at what: one timer for all functions, however many are idle.
import type { Clock } from '#core/clock'

export interface Due {
  /** Its time has come. @returns when it is to be called again; Infinity for never */
  due(now: number): number
}

interface Entry {
  at: number
  readonly who: Due
  /** In the heap. */
  index: number
}

/** Longer timers than this overflow, or are late after the machine slept. */
const LONGEST_TIMER_MS = 3_600_000

/** A heap by time. All times are in ms of the clock's monotonic time. */
export class Agenda implements Disposable {
  readonly #clock: Clock
  readonly #heap: Entry[] = []
  /** One for each at most. */
  readonly #entries = new Map<Due, Entry>()
  #timer: Disposable | undefined
  #timerAt = Infinity
  #closed = false

  constructor(clock: Clock) {
    this.#clock = clock
  }

  /** Calls `who.due` at this time; no later than asked for before. */
  at(who: Due, time: number): void {
    if (this.#closed) return
    const known = this.#entries.get(who)
    if (known === undefined) {
      const entry = { at: time, who, index: this.#heap.length }
      this.#entries.set(who, entry)
      this.#up(entry)
    } else if (time < known.at) {
      known.at = time
      this.#up(known)
    }
    this.#arm()
  }

  [Symbol.dispose](): void {
    this.#closed = true
    this.#timer?.[Symbol.dispose]()
  }

  #arm(): void {
    const next = this.#heap[0]?.at ?? Infinity
    if (next >= this.#timerAt) return
    this.#timer?.[Symbol.dispose]()
    this.#timerAt = next
    const ms = next - this.#clock.monotonic()
    this.#timer = this.#clock.after(Math.min(Math.max(0, ms), LONGEST_TIMER_MS), () => this.#run())
  }

  #run(): void {
    this.#timerAt = Infinity
    const now = this.#clock.monotonic()
    for (let first = this.#heap[0]; first !== undefined && first.at <= now; first = this.#heap[0]) {
      this.#shift(first)
      const next = first.who.due(now)
      // Never at once again: that would not end.
      if (next < Infinity) this.at(first.who, Math.max(next, now + 1))
    }
    if (!this.#closed && this.#heap.length > 0) this.#arm()
  }

  #shift(first: Entry): void {
    this.#entries.delete(first.who)
    const last = this.#heap.pop()
    if (last !== undefined && last !== first) this.#down(last)
  }

  /** Puts it where it belongs, at its index or above. */
  #up(entry: Entry): void {
    for (let index = entry.index; ; index = (index - 1) >> 1) {
      const parent = index === 0 ? undefined : this.#heap[(index - 1) >> 1]
      if (parent === undefined || parent.at <= entry.at) return this.#put(entry, index)
      this.#put(parent, index)
    }
  }

  /** Puts it where it belongs, from the top on. */
  #down(entry: Entry): void {
    for (let index = 0; ;) {
      const [left, right] = [this.#heap[2 * index + 1], this.#heap[2 * index + 2]]
      const child = right !== undefined && left !== undefined && right.at < left.at ? right : left
      if (child === undefined || child.at >= entry.at) return this.#put(entry, index)
      const from = child.index
      this.#put(child, index)
      index = from
    }
  }

  #put(entry: Entry, index: number): void {
    this.#heap[index] = entry
    entry.index = index
  }
}
