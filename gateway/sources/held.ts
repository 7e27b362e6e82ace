// What a source that fetches has taken from its broker and not settled: it fetches no more than there is room for.
export class Held<Item> {
  readonly #limit: number
  readonly #items = new Map<string, Item>()
  #changed = Promise.withResolvers<void>()
  #isClosed = false

  constructor(limit: number) {
    this.#limit = limit
  }

  get isClosed(): boolean {
    return this.#isClosed
  }

  get size(): number {
    return this.#items.size
  }

  /** How many more may be taken. */
  get room(): number {
    return Math.max(0, this.#limit - this.#items.size)
  }

  has(id: string): boolean {
    return this.#items.has(id)
  }

  /** In the order in which they were taken. */
  all(): readonly Item[] {
    return [...this.#items.values()]
  }

  take(id: string, item: Item): void {
    this.#items.set(id, item)
  }

  /** False when it is not held. */
  release(id: string): boolean {
    const wasHeld = this.#items.delete(id)
    if (wasHeld) this.#wake()
    return wasHeld
  }

  /** How many more may be taken, once there is room; 0: nothing more is to be taken. */
  async roomFree(): Promise<number> {
    while (this.room === 0 && !this.#isClosed) await this.#changed.promise
    return this.#isClosed ? 0 : this.room
  }

  /** Nothing more is to be taken. */
  close(): void {
    this.#isClosed = true
    this.#wake()
  }

  #wake(): void {
    this.#changed.resolve()
    this.#changed = Promise.withResolvers()
  }
}
