// When to look at what: one timer for all functions, however many are idle.
import type { Clock } from '#core/clock'

export interface Due {
  /** Its time has come. @returns when it is to be called again; Infinity for never */
  due(now: number): number
}

interface Entry {
  readonly at: number
  readonly who: Due
}

/** Longer timers than this overflow, or are late after the machine slept. */
const LONGEST_TIMER_MS = 3_600_000

/** A heap by time. All times are in ms of the clock's monotonic time. */
export class Agenda implements Disposable {
  readonly #clock: Clock
  readonly #heap: Entry[] = []
  /** The entry of each that counts; others in the heap were overtaken by an earlier one. */
  readonly #times = new Map<Due, number>()
  #timer: Disposable | undefined
  #timerAt = Infinity
  #closed = false

  constructor(clock: Clock) {
    this.#clock = clock
  }

  /** Calls `who.due` at this time; no later than asked for before. */
  at(who: Due, time: number): void {
    if (this.#closed || time >= (this.#times.get(who) ?? Infinity)) return
    this.#times.set(who, time)
    this.#push({ at: time, who })
    this.#arm()
  }

  forget(who: Due): void {
    this.#times.delete(who)
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
      this.#pop()
      if (this.#times.get(first.who) !== first.at) continue
      this.#times.delete(first.who)
      const next = first.who.due(now)
      // Never at once again: that would not end.
      if (next < Infinity) this.at(first.who, Math.max(next, now + 1))
    }
    if (!this.#closed && this.#heap.length > 0) this.#arm()
  }

  #push(entry: Entry): void {
    const heap = this.#heap
    let index = heap.push(entry) - 1
    while (index > 0) {
      const parent = (index - 1) >> 1
      if (heap[parent]!.at <= entry.at) break
      heap[index] = heap[parent]!
      index = parent
    }
    heap[index] = entry
  }

  #pop(): void {
    const heap = this.#heap
    const last = heap.pop()
    if (last === undefined || heap.length === 0) return
    let index = 0
    for (;;) {
      let child = 2 * index + 1
      if (child >= heap.length) break
      if (child + 1 < heap.length && heap[child + 1]!.at < heap[child]!.at) child += 1
      if (heap[child]!.at >= last.at) break
      heap[index] = heap[child]!
      index = child
    }
    heap[index] = last
  }
}
