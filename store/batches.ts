// What is asked for in one turn of the event loop, in batches that go out when the turn is over. Knows nothing of what is in
// them.
import { atEndOfTurn } from './turn.ts'

export interface Batch<Content, Answer> {
  readonly content: Content
  /** For all that is in it. */
  readonly done: PromiseWithResolvers<Answer>
  /** How many are in it. */
  count: number
  size: number
}

export interface BatchesOptions<Content, Answer> {
  readonly empty: () => Content
  readonly send: (content: Content) => Promise<Answer>
  /** In one batch; a single one may be larger than `mostSize`. */
  readonly mostCount: number
  readonly mostSize: number
}

export class Batches<Content, Answer> {
  readonly #options: BatchesOptions<Content, Answer>
  /** To be sent at the end of this turn; the last may still grow. */
  #batches: Batch<Content, Answer>[] = []

  constructor(options: BatchesOptions<Content, Answer>) {
    this.#options = options
  }

  /** The batch that one more goes into, which counts it already: the caller puts it in at once. */
  enter(size: number): Batch<Content, Answer> {
    const batch = this.#withRoom(size)
    batch.count++
    batch.size += size
    return batch
  }

  #withRoom(size: number): Batch<Content, Answer> {
    const { empty, mostCount, mostSize } = this.#options
    const last = this.#batches.at(-1)
    if (last !== undefined && last.count < mostCount && last.size + size <= mostSize) return last
    const batch = { content: empty(), done: Promise.withResolvers<Answer>(), count: 0, size: 0 }
    if (this.#batches.push(batch) === 1) atEndOfTurn(() => this.#send())
    return batch
  }

  #send(): void {
    const batches = this.#batches
    this.#batches = []
    for (const { content, done } of batches) this.#options.send(content).then(done.resolve, done.reject)
  }
}
