'use strict'
// The calls under way, by their numbers. In an array: a Map that changes with every call keeps what was deleted from it, as
// each table that it has outgrown refers to the next one and the first ones are old. That was most of the agent's garbage.

const LEAST_PLACES = 64

/**
 * A number has its place by its last bits. The invoker passes over numbers whose place is taken (call-table.ts), so there is
 * no search; where it has more places than this, this grows.
 */
class Calls {
  #places = Array.from({ length: LEAST_PLACES }, () => undefined)
  #size = 0

  get size() {
    return this.#size
  }

  get(number) {
    const call = this.#places[number & (this.#places.length - 1)]
    return call?.number === number ? call : undefined
  }

  add(call) {
    while (this.#taken(call.number)) this.#grow()
    this.#places[call.number & (this.#places.length - 1)] = call
    this.#size++
  }

  delete(call) {
    if (this.get(call.number) !== call) return
    this.#places[call.number & (this.#places.length - 1)] = undefined
    this.#size--
  }

  clear() {
    this.#places.fill(undefined)
    this.#size = 0
  }

  values() {
    return this.#places.filter((call) => call !== undefined)
  }

  #taken(number) {
    return this.#places[number & (this.#places.length - 1)] !== undefined
  }

  #grow() {
    const calls = this.values()
    const places = Array.from({ length: 2 * this.#places.length }, () => undefined)
    for (const call of calls) places[call.number & (places.length - 1)] = call
    this.#places = places
  }
}

module.exports = { Calls }
