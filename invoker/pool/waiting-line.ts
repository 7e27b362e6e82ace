// The calls of one version that wait for room: first in, first out, each with a deadline.
import type { Clock } from '#core/clock'
import { PlatformError } from '#core/errors'

interface Waiter<T> {
  /** Monotonic ms. */
  readonly since: number
  readonly resolve: (value: T) => void
  readonly reject: (reason: unknown) => void
}

export interface WaitLimits {
  readonly maxWaiting: number
  readonly maxWaitMs: number
}

export class WaitingLine<T> {
  readonly #clock: Clock
  readonly #limits: WaitLimits
  // In order of arrival; a Set because callers leave from the middle.
  readonly #waiters = new Set<Waiter<T>>()

  constructor(clock: Clock, limits: WaitLimits) {
    this.#clock = clock
    this.#limits = limits
  }

  get length(): number {
    return this.#waiters.size
  }

  /** When the first in line came; Infinity when nobody waits. */
  get oldest(): number {
    const [first] = this.#waiters
    return first?.since ?? Infinity
  }

  /**
   * Joins the line.
   * @param retryAfterS what a caller who is turned away is told
   * @throws PlatformError `queue-full`, `wait-timed-out`; the signal's reason when it aborts
   */
  async join(signal: AbortSignal, retryAfterS: () => number): Promise<T> {
    signal.throwIfAborted()
    const { maxWaiting, maxWaitMs } = this.#limits
    if (this.#waiters.size >= maxWaiting) throw queueFull(maxWaiting, retryAfterS())
    const { promise, resolve, reject } = Promise.withResolvers<T>()
    const waiter = { since: this.#clock.monotonic(), resolve, reject }
    this.#waiters.add(waiter)
    // Out of the line before the rejection: nobody may be served who is no longer there to take it.
    const leave = (reason: unknown): void => {
      if (this.#waiters.delete(waiter)) reject(reason)
    }
    const cancel = (): void => leave(signal.reason)
    signal.addEventListener('abort', cancel, { once: true })
    using _timer = this.#clock.after(maxWaitMs, () => leave(waitTimedOut(maxWaitMs, retryAfterS())))
    try {
      return await promise
    } finally {
      signal.removeEventListener('abort', cancel)
    }
  }

  /** Serves the first in line; `since` is when it came. */
  serve(answer: (since: number) => T): void {
    const [first] = this.#waiters
    if (first === undefined) return
    this.#waiters.delete(first)
    first.resolve(answer(first.since))
  }

  /** Turns everybody away. */
  refuse(error: PlatformError): void {
    for (const waiter of this.#waiters) waiter.reject(error)
    this.#waiters.clear()
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
