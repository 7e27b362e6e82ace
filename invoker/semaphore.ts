// So many at a time; the others wait in order.

export class Semaphore {
  #free: number
  readonly #waiting = new Set<() => void>()

  constructor(permits: number) {
    this.#free = permits
  }

  /** Disposing of the permit gives it back. @throws the signal's reason when it aborts while waiting */
  async acquire(signal: AbortSignal): Promise<Disposable> {
    signal.throwIfAborted()
    if (this.#free > 0) this.#free -= 1
    else await this.#turn(signal)
    return { [Symbol.dispose]: () => this.#release() }
  }

  #turn(signal: AbortSignal): Promise<void> {
    return new Promise((resolve, reject) => {
      const cancel = (): void => {
        this.#waiting.delete(turn)
        reject(signal.reason)
      }
      const turn = (): void => {
        signal.removeEventListener('abort', cancel)
        resolve()
      }
      this.#waiting.add(turn)
      signal.addEventListener('abort', cancel, { once: true })
    })
  }

  /** The permit goes straight to the next in line, so that nobody who comes now is before them. */
  #release(): void {
    const [next] = this.#waiting
    if (next === undefined) {
      this.#free += 1
      return
    }
    this.#waiting.delete(next)
    next()
  }
}
