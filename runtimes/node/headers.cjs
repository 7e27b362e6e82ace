'use strict'
// A Headers of our own, with the interface of the Fetch standard: Node's costs 20 ms to load, more than the whole
// rest of the agent, and several times as much per call.

const NAME = /^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/
// oxlint-disable-next-line no-control-regex -- NUL, CR and LF are what must not be there
const VALUE = /^[^\x00\r\n\u0100-\uffff]*$/
const EDGES = /^[\t\n\r ]+|[\t\n\r ]+$/g

function checkedName(value) {
  const name = String(value)
  if (NAME.test(name)) return name.toLowerCase()
  throw new TypeError(`a header name must be a token: received ${JSON.stringify(name)}`)
}

function checkedValue(name, given) {
  let value = typeof given === 'string' ? given : String(given)
  if (value !== '' && (value.charCodeAt(0) <= 32 || value.charCodeAt(value.length - 1) <= 32)) {
    value = value.replace(EDGES, '')
  }
  if (VALUE.test(value)) return value
  throw new TypeError(
    `the value of the header ${name} must be bytes without line breaks: received ${JSON.stringify(value)}`,
  )
}

/** From pairs that a server has checked already. */
let trustedHeaders
/** As they go over the wire: every set-cookie on its own. */
let headerPairs

class Headers {
  /** Lower-case name → value; set-cookie → array of values. */
  #values = new Map()

  static {
    trustedHeaders = (pairs) => {
      const headers = new Headers()
      for (const [name, value] of pairs) headers.#add(name, value)
      return headers
    }
    headerPairs = (headers) => headers.#pairs()
  }

  constructor(init) {
    if (init === undefined) return
    if (init === null || (typeof init !== 'object' && typeof init !== 'function')) {
      throw new TypeError(
        `headers must be an object or a list of pairs: received ${init === null ? 'null' : typeof init}`,
      )
    }
    if (typeof init[Symbol.iterator] !== 'function') {
      for (const name of Reflect.ownKeys(init)) {
        if (Object.getOwnPropertyDescriptor(init, name)?.enumerable) this.append(name, init[name])
      }
      return
    }
    for (const pair of init) {
      const both = [...pair]
      if (both.length !== 2)
        throw new TypeError(`a header must be a pair of name and value: received ${both.length} items`)
      this.append(both[0], both[1])
    }
  }

  append(name, value) {
    const key = checkedName(name)
    this.#add(key, checkedValue(key, value))
  }

  set(name, value) {
    const key = checkedName(name)
    const checked = checkedValue(key, value)
    this.#values.set(key, key === 'set-cookie' ? [checked] : checked)
  }

  get(name) {
    const value = this.#values.get(checkedName(name))
    if (value === undefined) return null
    return typeof value === 'string' ? value : value.join(', ')
  }

  has(name) {
    return this.#values.has(checkedName(name))
  }

  delete(name) {
    this.#values.delete(checkedName(name))
  }

  getSetCookie() {
    return [...(this.#values.get('set-cookie') ?? [])]
  }

  forEach(callback, thisArg) {
    for (const [name, value] of this) callback.call(thisArg, value, name, this)
  }

  *entries() {
    yield* this.#pairs().toSorted(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0))
  }

  *keys() {
    for (const [name] of this.entries()) yield name
  }

  *values() {
    for (const [, value] of this.entries()) yield value
  }

  [Symbol.iterator]() {
    return this.entries()
  }

  get [Symbol.toStringTag]() {
    return 'Headers'
  }

  [Symbol.for('nodejs.util.inspect.custom')](_depth, options, inspect) {
    return `Headers ${inspect(Object.fromEntries(this.entries()), options)}`
  }

  #pairs() {
    const pairs = []
    for (const [name, value] of this.#values) {
      if (typeof value === 'string') pairs.push([name, value])
      else for (const cookie of value) pairs.push([name, cookie])
    }
    return pairs
  }

  #add(key, value) {
    const before = this.#values.get(key)
    if (key === 'set-cookie') {
      if (before === undefined) this.#values.set(key, [value])
      else before.push(value)
    } else {
      this.#values.set(key, before === undefined ? value : `${before}${key === 'cookie' ? '; ' : ', '}${value}`)
    }
  }
}

module.exports = { Headers, trustedHeaders, headerPairs }
