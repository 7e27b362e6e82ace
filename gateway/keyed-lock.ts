// One at a time per key, first come first served.

export class KeyedLock<Key> {
  readonly #tails = new Map<Key, Promise<void>>()

  /** Runs `task` when it is its turn; its failure is the caller's and does not stop those behind it. */
  async run<T>(key: Key, task: () => Promise<T>): Promise<T> {
    const before = this.#tails.get(key) ?? Promise.resolve()
    const running = before.then(task)
    const tail = settled(running)
    this.#tails.set(key, tail)
    try {
      return await running
    } finally {
      if (this.#tails.get(key) === tail) this.#tails.delete(key)
    }
  }
}

async function settled(running: Promise<unknown>): Promise<void> {
  try {
    await running
  } catch {
    // Whoever asked for the task hears of it.
  }
}
