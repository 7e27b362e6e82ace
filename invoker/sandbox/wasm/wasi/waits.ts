// What a guest waits for in the host, so that a guest that is given up can be made to stop where it waits.

export class Waits {
  readonly #rejects = new Set<(reason: Error) => void>()
  #abort: AbortController | undefined
  #abandoned = false

  /** Aborts when the guest is given up. Made when it is asked for: few guests need it. */
  get signal(): AbortSignal {
    this.#abort ??= new AbortController()
    if (this.#abandoned) this.#abort.abort()
    return this.#abort.signal
  }

  /** The same promise, but it rejects when the guest is given up: the glue then throws into the guest. */
  until<T>(promise: Promise<T>): Promise<T> {
    if (this.#abandoned) return Promise.reject(new Error('the call is over'))
    return new Promise((resolve, reject) => {
      const settle = (): void => void this.#rejects.delete(reject)
      this.#rejects.add(reject)
      promise.then(resolve, reject).finally(settle)
    })
  }

  abandon(): void {
    this.#abandoned = true
    this.#abort?.abort()
    for (const reject of this.#rejects) reject(new Error('the call is over'))
    this.#rejects.clear()
  }
}
