// The only source of time. Everything that decides by time takes `now` as an argument; everything that waits takes a Clock.
import type { StopSignal } from './stop-signal.ts'

export interface Clock {
  /** ms since the epoch */
  now(): number
  /** ms from an arbitrary point, never going back, fractions kept */
  monotonic(): number
  /** Runs `task` once after `ms`. Disposing cancels it. Does not keep the process alive. */
  after(ms: number, task: () => void): Disposable
  /** Runs `task` every `ms` until disposed. Does not keep the process alive. */
  every(ms: number, task: () => void): Disposable
}

export const systemClock: Clock = {
  now: () => Date.now(),
  monotonic: () => performance.now(),
  after(ms, task) {
    const timer = setTimeout(task, ms)
    timer.unref()
    return { [Symbol.dispose]: () => clearTimeout(timer) }
  },
  every(ms, task) {
    const timer = setInterval(task, ms)
    timer.unref()
    return { [Symbol.dispose]: () => clearInterval(timer) }
  },
}

/** Resolves after `ms`; rejects with the signal's reason when it aborts first. */
export function sleep(ms: number, signal: StopSignal, clock: Clock = systemClock): Promise<void> {
  return new Promise((resolve, reject) => {
    if (signal.aborted) return reject(signal.reason)
    const onAbort = (): void => {
      timer[Symbol.dispose]()
      reject(signal.reason)
    }
    const timer = clock.after(ms, () => {
      signal.removeEventListener('abort', onAbort)
      resolve()
    })
    signal.addEventListener('abort', onAbort, { once: true })
  })
}
