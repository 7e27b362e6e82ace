// What a QuickJS guest can wait for: futures of the host, and sets of them, by the handles that the guest has. The part
// of the component model's asynchronous ABI that our world uses: futures that the host writes and the guest reads.

/** Writes the value of a future to this address in the guest's memory. */
export type Deliver = (at: number) => void

/** The results of a read. */
const COMPLETED = 0
const CANCELLED = 2
const BLOCKED = -1
const NO_SET = 0

interface Future {
  readonly handle: number
  /** Set when the host has the value. */
  deliver: Deliver | undefined
  /** Where the guest wants it; undefined while it does not read. */
  readingTo: number | undefined
  set: number
  cancel: Disposable | undefined
}

export class Waitables {
  readonly #futures = new Map<number, Future>()
  readonly #sets = new Set<number>()
  /** Futures that were read when their value came, in that order. */
  readonly #come: Future[] = []
  readonly #onReady: (set: number) => void
  #last = 0
  #reads = 0
  #made = 0

  /** @param onReady when the guest could go on that waits for this set */
  constructor(onReady: (set: number) => void) {
    this.#onReady = onReady
  }

  /** Whether the guest waits for nothing: no event comes to it, and nothing will be written into its memory. */
  get atRest(): boolean {
    return this.#sets.size === 0 && this.#reads === 0
  }

  /** Futures that the guest was given in all. */
  get made(): number {
    return this.#made
  }

  /** Those that it has not given back. */
  get size(): number {
    return this.#futures.size
  }

  /**
   * A future for the guest.
   * @param start begins the work, and calls `settle` later with what writes the value
   * @returns its handle
   */
  future(start: (settle: (deliver: Deliver) => void) => Disposable | undefined): number {
    this.#made++
    const handle = ++this.#last
    const future: Future = { handle, deliver: undefined, readingTo: undefined, set: NO_SET, cancel: undefined }
    this.#futures.set(handle, future)
    future.cancel = start((deliver) => {
      future.deliver = deliver
      future.cancel = undefined
      if (future.readingTo === undefined) return
      this.#come.push(future)
      if (future.set !== NO_SET) this.#onReady(future.set)
    })
    return handle
  }

  /** future.read */
  read(handle: number, at: number): number {
    const future = this.#future(handle)
    if (future.readingTo !== undefined) throw new WebAssembly.RuntimeError('a future is read already')
    if (future.deliver !== undefined) {
      future.deliver(at)
      return COMPLETED
    }
    future.readingTo = at
    this.#reads++
    return BLOCKED
  }

  /** future.cancel-read */
  cancelRead(handle: number): number {
    const future = this.#future(handle)
    if (future.readingTo === undefined) throw new WebAssembly.RuntimeError('a future is not read')
    this.#endRead(future)
    const index = this.#come.indexOf(future)
    if (index !== -1) this.#come.splice(index, 1)
    return CANCELLED
  }

  /** future.drop-readable */
  drop(handle: number): void {
    const future = this.#future(handle)
    if (future.readingTo !== undefined) throw new WebAssembly.RuntimeError('a future is still read')
    future.cancel?.[Symbol.dispose]()
    this.#futures.delete(handle)
  }

  newSet(): number {
    const set = ++this.#last
    this.#sets.add(set)
    return set
  }

  dropSet(set: number): void {
    if (!this.#sets.delete(set)) throw new WebAssembly.RuntimeError('unknown handle index')
  }

  join(handle: number, set: number): void {
    if (set !== NO_SET && !this.#sets.has(set)) throw new WebAssembly.RuntimeError('unknown handle index')
    this.#future(handle).set = set
  }

  /**
   * Writes the value of one future that has come for a set into the guest's memory.
   * @returns its handle; 0 when there is none, -1 when none can come any more
   */
  take(set: number): number {
    if (!this.#sets.has(set)) throw new WebAssembly.RuntimeError('unknown handle index')
    const index = this.#come.findIndex((future) => future.set === set)
    const [future] = index === -1 ? [] : this.#come.splice(index, 1)
    if (future === undefined) return this.#reads > 0 ? 0 : -1
    const at = this.#endRead(future)
    future.deliver!(at)
    return future.handle
  }

  /** Ends the work for all futures whose value has not come: it never will. */
  cancelAll(): void {
    for (const future of this.#futures.values()) {
      future.cancel?.[Symbol.dispose]()
      future.cancel = undefined
    }
  }

  /** The guest knows of none any more: it was restored. */
  forget(): void {
    if (this.#last === 0) return
    this.#futures.clear()
    this.#sets.clear()
    this.#come.length = 0
    this.#reads = 0
    this.#last = 0
  }

  #endRead(future: Future): number {
    const at = future.readingTo!
    future.readingTo = undefined
    this.#reads--
    return at
  }

  #future(handle: number): Future {
    const future = this.#futures.get(handle)
    if (future === undefined) throw new WebAssembly.RuntimeError('unknown handle index')
    return future
  }
}
