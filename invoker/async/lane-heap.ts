// A binary heap whose items know their place in it, so that one whose key has changed can be moved.

/** What can be in a heap, in one at a time; the field is the heap's own. */
export interface Heaped {
  /** -1: in none. */
  heapIndex: number
}

export class LaneHeap<T extends Heaped> {
  readonly #items: T[] = []
  readonly #before: (a: T, b: T) => boolean

  /** @param before a total order */
  constructor(before: (a: T, b: T) => boolean) {
    this.#before = before
  }

  get first(): T | undefined {
    return this.#items[0]
  }

  get size(): number {
    return this.#items.length
  }

  /** It must not be in a heap. */
  add(item: T): void {
    this.#put(item, this.#items.length)
    this.#rise(item)
  }

  has(item: T): boolean {
    return this.#items[item.heapIndex] === item
  }

  /** Whether it was in this one. */
  delete(item: T): boolean {
    if (!this.has(item)) return false
    const last = this.#items.pop()!
    if (last !== item) {
      this.#put(last, item.heapIndex)
      this.#rise(last)
      this.#sink(last)
    }
    item.heapIndex = -1
    return true
  }

  #put(item: T, index: number): void {
    this.#items[index] = item
    item.heapIndex = index
  }

  #rise(item: T): void {
    while (item.heapIndex > 0) {
      const parent = this.#items[(item.heapIndex - 1) >> 1]!
      if (!this.#before(item, parent)) return
      this.#swap(item, parent)
    }
  }

  #sink(item: T): void {
    for (;;) {
      const left = this.#items[2 * item.heapIndex + 1]
      const right = this.#items[2 * item.heapIndex + 2]
      if (left === undefined) return
      const child = right !== undefined && this.#before(right, left) ? right : left
      if (!this.#before(child, item)) return
      this.#swap(child, item)
    }
  }

  #swap(a: T, b: T): void {
    const index = a.heapIndex
    this.#put(a, b.heapIndex)
    this.#put(b, index)
  }
}
