// How a source tells that it has lost its broker: once, with the first reason, and not of its own closing.
export class Loss {
  /** As OpenSource.ended: rejects with the first reason, never resolves. */
  readonly ended: Promise<never>
  readonly #reject: (reason: Error) => void
  #isClosing = false

  constructor() {
    const { promise, reject } = Promise.withResolvers<never>()
    this.ended = promise
    this.#reject = reject
    // It may be lost while it is being opened, when nobody looks yet.
    promise.catch(() => {})
  }

  /** @param reason for the status of the trigger */
  report(reason: Error): void {
    if (!this.#isClosing) this.#reject(reason)
  }

  /** What comes from now on is our own doing. */
  closing(): void {
    this.#isClosing = true
  }
}
