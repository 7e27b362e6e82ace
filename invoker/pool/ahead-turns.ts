// Whose turn it is to create a sandbox that no call waits for: few at a time, so that the starts that calls wait for do
// not queue behind many. Who waits has nothing started yet, so a call of theirs starts its own.

export class AheadTurns {
  readonly #most: number
  /** In the order in which they came. */
  readonly #waiting = new Map<unknown, () => void>()
  #taken = 0

  constructor(most: number) {
    this.#most = most
  }

  /** A turn, until it is disposed of; undefined: not now, `again` is called once when it may be. One `again` for each. */
  take(who: unknown, again: () => void): Disposable | undefined {
    if (this.#taken >= this.#most) {
      this.#waiting.set(who, again)
      return undefined
    }
    this.#waiting.delete(who)
    this.#taken += 1
    return { [Symbol.dispose]: () => this.#over() }
  }

  #over(): void {
    this.#taken -= 1
    for (const [who, again] of this.#waiting) {
      if (this.#taken >= this.#most) return
      this.#waiting.delete(who)
      again()
    }
  }
}
