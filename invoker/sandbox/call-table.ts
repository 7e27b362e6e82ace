// The calls of one link by their numbers.

const LEAST_PLACES = 64
const MOST_NUMBER = 0xffffffff

/**
 * Gives numbers and finds what has them. An array, for a Map keeps what it was rid of: see LinkedList. A number has its
 * place by its last bits; numbers whose place is taken are passed over, so that a long call is in nobody's way.
 */
export class CallTable<T extends { readonly number: number }> {
  #places: (T | undefined)[] = places(LEAST_PLACES)
  #size = 0
  #last = 0

  /** A number that no call has; the next `add` must be of a call with this number. */
  nextNumber(): number {
    if (this.#size * 2 > this.#places.length) this.#grow()
    do this.#last = this.#last === MOST_NUMBER ? 1 : this.#last + 1
    while (this.#places[this.#placeOf(this.#last)] !== undefined)
    return this.#last
  }

  add(call: T): void {
    this.#places[this.#placeOf(call.number)] = call
    this.#size += 1
  }

  get(number: number): T | undefined {
    const call = this.#places[this.#placeOf(number)]
    return call?.number === number ? call : undefined
  }

  delete(call: T): void {
    if (this.get(call.number) !== call) return
    this.#places[this.#placeOf(call.number)] = undefined
    this.#size -= 1
  }

  toArray(): T[] {
    return this.#places.filter((call) => call !== undefined)
  }

  #placeOf(number: number): number {
    return (number & (this.#places.length - 1)) >>> 0
  }

  /** The numbers of all calls differ in their last bits, so they do in one bit more. */
  #grow(): void {
    const calls = this.toArray()
    this.#places = places(this.#places.length * 2)
    for (const call of calls) this.#places[this.#placeOf(call.number)] = call
  }
}

function places(count: number): undefined[] {
  return Array.from({ length: count }, () => undefined)
}
