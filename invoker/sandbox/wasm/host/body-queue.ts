// A request body as it comes in, for a reader that may be slower.

const EMPTY = new Uint8Array(0)

/** Chunks are granted to the sender, who may then send more, when they are read. */
export class BodyQueue {
  readonly #onRead: (bytes: number) => void
  #chunks: Uint8Array[] = []
  #ended = false
  #waiters: (() => void)[] = []

  constructor(onRead: (bytes: number) => void) {
    this.#onRead = onRead
  }

  /** Whether `read` would answer at once. */
  get ready(): boolean {
    return this.#ended || this.#chunks.length > 0
  }

  push(chunk: Uint8Array, last: boolean): void {
    if (this.#ended) return
    if (chunk.length > 0) this.#chunks.push(chunk)
    this.#ended = last
    this.#wake()
  }

  /** No more is coming, whether it was all or not. */
  close(): void {
    this.#ended = true
    this.#wake()
  }

  /** Up to `most` bytes that are there; undefined after the last. Empty when nothing is there yet. */
  take(most: number): Uint8Array | undefined {
    const first = this.#chunks[0]
    if (first === undefined) return this.#ended ? undefined : new Uint8Array(0)
    const bytes = first.subarray(0, most)
    if (bytes.length === first.length) this.#chunks.shift()
    else this.#chunks[0] = first.subarray(most)
    if (!this.#ended) this.#onRead(bytes.length)
    return bytes
  }

  /** The whole body when it came in one piece or is empty, which is then taken; undefined when it must be waited for. */
  takeWhole(): Uint8Array | undefined {
    if (!this.#ended || this.#chunks.length > 1) return undefined
    return this.#chunks.pop() ?? EMPTY
  }

  /** Resolves when `ready`. */
  whenReady(): Promise<void> {
    if (this.ready) return Promise.resolve()
    return new Promise((resolve) => {
      this.#waiters.push(resolve)
    })
  }

  /** The whole body, or undefined when it has more than `most` bytes. */
  async readAll(most: number): Promise<Uint8Array | undefined> {
    const chunks: Uint8Array[] = []
    let size = 0
    for (;;) {
      await this.whenReady()
      const chunk = this.take(Number.POSITIVE_INFINITY)
      if (chunk === undefined) return chunks.length === 1 ? chunks[0] : Buffer.concat(chunks, size)
      chunks.push(chunk)
      size += chunk.length
      if (size > most) return undefined
    }
  }

  #wake(): void {
    for (const resolve of this.#waiters.splice(0)) resolve()
  }
}
