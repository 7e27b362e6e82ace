// What a guest of the function world waits for: values that the host gives later. Counts them, and can end them all.

/** A value that makes the glue throw into the guest instead of giving it anything: the guest stops where it waits. */
const POISON = { tag: 'gone' } as unknown

interface Pending {
  readonly settle: (value: unknown) => void
  readonly cancel: Disposable | undefined
}

export class Futures {
  readonly #pending = new Set<Pending>()

  get size(): number {
    return this.#pending.size
  }

  /**
   * @param start begins the work; what it calls `settle` with is the value
   * @returns what an imported function gives to the glue
   */
  make<T>(start: (settle: (value: T) => void) => Disposable | undefined): Promise<T> {
    return new Promise<T>((resolve) => {
      const settle = (value: unknown): void => {
        if (pending !== undefined) this.#pending.delete(pending)
        pending = undefined
        resolve(value as T)
      }
      let pending: Pending | undefined
      const cancel = start(settle)
      pending = { settle, cancel }
      this.#pending.add(pending)
    })
  }

  /** Ends all that is waited for: no code of the guest goes on with a value. */
  poison(): void {
    for (const { settle, cancel } of this.#pending) {
      cancel?.[Symbol.dispose]()
      settle(POISON)
    }
  }
}
