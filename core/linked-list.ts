// The list for what comes and goes with every call.

/** What can be in a list, in one at a time; the fields are the list's own. */
export interface Linked<T> {
  before: T | undefined
  after: T | undefined
}

/**
 * In order of arrival; adding and deleting take no memory. A Set would do the same, but not for what changes with every
 * call: each table that a Set has outgrown refers to the next one, and once an early one is in V8's old generation, all
 * later ones stay with what was in them until the next full collection. That took half of the gateway's time per call.
 */
export class LinkedList<T extends Linked<T>> {
  #first: T | undefined
  #last: T | undefined
  #size = 0

  get size(): number {
    return this.#size
  }

  /** The oldest. */
  get first(): T | undefined {
    return this.#first
  }

  /** It must not be in a list. */
  add(item: T): void {
    item.before = this.#last
    if (this.#last === undefined) this.#first = item
    else this.#last.after = item
    this.#last = item
    this.#size += 1
  }

  /** Whether it was in the list. */
  delete(item: T): boolean {
    const { before, after } = item
    if (before === undefined && this.#first !== item) return false
    if (before === undefined) this.#first = after
    else before.after = after
    if (after === undefined) this.#last = before
    else after.before = before
    // An item that is old by now would keep its neighbours.
    item.before = undefined
    item.after = undefined
    this.#size -= 1
    return true
  }

  has(item: T): boolean {
    return item.before !== undefined || this.#first === item
  }

  /** What is in it now, the oldest first. */
  toArray(): T[] {
    const items: T[] = []
    for (let item = this.#first; item !== undefined; item = item.after) items.push(item)
    return items
  }
}
