// The calls of one version that wait for room: first in, first out, each with a deadline.
import type { Clock } from '#core/clock'
import { PlatformError } from '#core/errors'
import type { StopSignal } from '#core/stop-signal'

interface Waiter<T> {
  /** Monotonic ms. */
  readonly since: number
  readonly resolve: (value: T) => void
  readonly reject: (reason: unknown) => void
}

/** What the line must know of the sandboxes. */
export interface Prospects {
  /** Slots of sandboxes that are starting: who will get one waits for a start and not for room. */
  startingSlots(): number
  /** What a caller who is turned away is told. */
  retryAfterS(): number
}

export interface WaitLimits {
  readonly maxWaiting: number
  readonly maxWaitMs: number
}

/** Even who may not wait at all is given the moment in which a start begins. */
const MIN_CHECK_MS = 5
/** In which those who are served are followed by others when there are always more. */
const MOMENT_MS = 10

export class WaitingLine<T> {
  readonly #clock: Clock
  readonly #limits: WaitLimits
  readonly #prospects: Prospects
  // In order of arrival; a Set because callers leave from the middle.
  readonly #waiters = new Set<Waiter<T>>()

  #newest: Waiter<T> | undefined
  #busySince = Infinity
  #emptySince = -Infinity

  constructor(clock: Clock, limits: WaitLimits, prospects: Prospects) {
    this.#clock = clock
    this.#limits = limits
    this.#prospects = prospects
  }

  get length(): number {
    return this.#waiters.size
  }

  /** When the first in line came; Infinity when nobody waits. */
  get oldest(): number {
    const [first] = this.#waiters
    return first?.since ?? Infinity
  }

  /** Since when there have always been calls in it, but for moments; Infinity when there are none. Monotonic ms. */
  get busySince(): number {
    return this.#waiters.size === 0 ? Infinity : this.#busySince
  }

  /**
   * Joins the line.
   * @throws PlatformError `queue-full`, `wait-timed-out`; the signal's reason when it aborts
   */
  async join(signal: StopSignal): Promise<T> {
    if (signal.aborted) throw signal.reason
    const { promise, resolve, reject } = Promise.withResolvers<T>()
    const waiter = { since: this.#clock.monotonic(), resolve, reject }
    if (this.#waiters.size === 0 && waiter.since - this.#emptySince > MOMENT_MS) this.#busySince = waiter.since
    this.#waiters.add(waiter)
    this.#newest = waiter
    const cancel = (): void => this.#turnAway(waiter, signal.reason)
    signal.addEventListener('abort', cancel, { once: true })
    using timers = new DisposableStack()
    this.#watch(waiter, timers)
    try {
      return await promise
    } finally {
      signal.removeEventListener('abort', cancel)
    }
  }

  /** Turns away who came last, when that is one more than may wait. */
  trim(): void {
    const { maxWaiting } = this.#limits
    if (this.#newest === undefined || this.#waiters.size <= maxWaiting + this.#prospects.startingSlots()) return
    this.#turnAway(this.#newest, queueFull(maxWaiting, this.#prospects.retryAfterS()))
  }

  #watch(waiter: Waiter<T>, timers: DisposableStack): void {
    const { maxWaitMs } = this.#limits
    const timer = this.#clock.after(Math.max(maxWaitMs, MIN_CHECK_MS), () => {
      const isNext = [...this.#waiters].indexOf(waiter) < this.#prospects.startingSlots()
      if (isNext) this.#watch(waiter, timers)
      else this.#turnAway(waiter, waitTimedOut(maxWaitMs, this.#prospects.retryAfterS()))
    })
    timers.use(timer)
  }

  /** Out of the line before the rejection: nobody may be served who is no longer there to take it. */
  #turnAway(waiter: Waiter<T>, reason: unknown): void {
    if (!this.#waiters.delete(waiter)) return
    this.#left()
    waiter.reject(reason)
  }

  /** Serves the first in line; `since` is when it came. */
  serve(answer: (since: number) => T): void {
    const [first] = this.#waiters
    if (first === undefined) return
    this.#waiters.delete(first)
    this.#left()
    first.resolve(answer(first.since))
  }

  #left(): void {
    if (this.#waiters.size === 0) this.#emptySince = this.#clock.monotonic()
  }

  /** Turns everybody away. */
  refuse(error: PlatformError): void {
    for (const waiter of this.#waiters) waiter.reject(error)
    this.#waiters.clear()
    this.#left()
  }
}

function queueFull(limit: number, retryAfterS: number): PlatformError {
  return new PlatformError('queue-full', {
    detail: `at most ${limit} calls of a function wait (HEARTH_MAX_WAITING): received one more`,
    members: { limit },
    retryAfterS,
  })
}

function waitTimedOut(limitMs: number, retryAfterS: number): PlatformError {
  return new PlatformError('wait-timed-out', {
    detail: `a call waits at most ${limitMs} ms for a sandbox (HEARTH_MAX_WAIT_MS): none became free`,
    members: { limitMs },
    retryAfterS,
  })
}
