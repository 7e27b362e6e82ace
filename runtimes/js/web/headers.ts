// Headers of the Fetch standard: names are lower case, iteration is sorted, set-cookie is never combined.

export type HeadersInit = Iterable<readonly [string, string]> | Readonly<Record<string, string>> | Headers

const NAME = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/
// oxlint-disable-next-line no-control-regex -- these are what must not be there
const BAD_VALUE = /[\0\r\n]|[^\0-\xff]/
const OUTER_SPACE = /^[\t\n\r ]+|[\t\n\r ]+$/g
/** Texts whose ends the expression above need not look at, which takes it longer than all the rest. */
function isOuterSpace(code: number): boolean {
  return code === 9 || code === 10 || code === 13 || code === 32
}

/** Headers of pairs that the host has checked already; the list becomes their own. `locked`: they never change. */
export let trustedHeaders: (pairs: readonly (readonly [string, string])[], locked: boolean) => Headers

/** Adds a pair that needs no check, unless there is one of the name, which is in lower case. */
export let addDefault: (headers: Headers, name: string, value: string) => void

/** What iterating gives, as a list that must not be changed. */
export let pairsOf: (headers: Headers) => readonly (readonly [string, string])[]

export class Headers {
  static {
    addDefault = (headers, name, value) => {
      const list = headers.#list
      for (let index = 0; index < list.length; index++) if (list[index]?.[0] === name) return
      headers.#refuseLocked()
      list.push([name, value])
    }
    // One pair, as most responses have, is sorted.
    pairsOf = (headers) => (headers.#list.length < 2 ? headers.#list : headers.#sorted())
    trustedHeaders = (pairs, locked) => {
      const headers = new Headers()
      headers.#list = pairs as [string, string][]
      headers.#locked = locked
      return headers
    }
  }

  /** In order of arrival, names in lower case. */
  #list: [string, string][] = []
  #locked = false

  constructor(init?: HeadersInit | null) {
    if (init === undefined || init === null) return
    if (init instanceof Headers) {
      this.#list = init.#list.map(([name, value]) => [name, value])
      return
    }
    if (typeof init !== 'object') throw new TypeError('Headers: expected pairs or an object')
    const pairs = Symbol.iterator in init ? (init as Iterable<readonly [string, string]>) : Object.entries(init)
    for (const pair of pairs) {
      const [name, value, ...more] = [...pair]
      if (name === undefined || value === undefined || more.length > 0) {
        throw new TypeError('Headers: expected pairs of a name and a value')
      }
      this.append(name, value)
    }
  }

  append(name: string, value: string): void {
    this.#list.push(this.#checked(name, value))
  }

  set(name: string, value: string): void {
    const pair = this.#checked(name, value)
    const first = this.#list.findIndex(([other]) => other === pair[0])
    if (first < 0) {
      this.#list.push(pair)
      return
    }
    this.#list[first] = pair
    this.#list = this.#list.filter(([other], index) => other !== pair[0] || index === first)
  }

  get(name: string): string | null {
    const lower = checkedName(name)
    let found: string | null = null
    for (const [other, value] of this.#list) {
      if (other === lower) found = found === null ? value : `${found}, ${value}`
    }
    return found
  }

  has(name: string): boolean {
    const lower = checkedName(name)
    return this.#list.some(([other]) => other === lower)
  }

  delete(name: string): void {
    this.#refuseLocked()
    const lower = checkedName(name)
    this.#list = this.#list.filter(([other]) => other !== lower)
  }

  getSetCookie(): string[] {
    return this.#list.filter(([name]) => name === 'set-cookie').map(([, value]) => value)
  }

  forEach(visit: (value: string, name: string, headers: Headers) => void, self?: unknown): void {
    for (const [name, value] of this.#sorted()) visit.call(self, value, name, this)
  }

  entries(): IterableIterator<[string, string]> {
    return this.#sorted().values()
  }

  keys(): IterableIterator<string> {
    return this.#sorted()
      .map(([name]) => name)
      .values()
  }

  values(): IterableIterator<string> {
    return this.#sorted()
      .map(([, value]) => value)
      .values()
  }

  [Symbol.iterator](): IterableIterator<[string, string]> {
    return this.entries()
  }

  get [Symbol.toStringTag](): string {
    return 'Headers'
  }

  #sorted(): [string, string][] {
    const combined = new Map<string, string>()
    const cookies: [string, string][] = []
    for (const [name, value] of this.#list) {
      const before = combined.get(name)
      if (name === 'set-cookie') cookies.push([name, value])
      else combined.set(name, before === undefined ? value : `${before}, ${value}`)
    }
    return [...combined, ...cookies].toSorted(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0))
  }

  #checked(name: string, value: string): [string, string] {
    const lower = checkedName(name)
    const normal = trimmed(String(value))
    if (BAD_VALUE.test(normal))
      throw new TypeError(`Headers: the value of "${lower}" has a character that is not allowed`)
    this.#refuseLocked()
    return [lower, normal]
  }

  #refuseLocked(): void {
    if (this.#locked) throw new TypeError('Headers: these headers are immutable')
  }
}

function trimmed(text: string): string {
  if (!isOuterSpace(text.charCodeAt(0)) && !isOuterSpace(text.charCodeAt(text.length - 1))) return text
  return text.replaceAll(OUTER_SPACE, '')
}

/** Names that need no check, which costs more than all else. */
const COMMON = new Set(
  'accept,authorization,cache-control,content-encoding,content-length,content-type,cookie,etag,host,location,origin,set-cookie,user-agent,vary,x-request-id'.split(
    ',',
  ),
)

function checkedName(name: string): string {
  if (COMMON.has(name)) return name
  const text = String(name)
  if (!NAME.test(text)) throw new TypeError(`Headers: ${JSON.stringify(text.slice(0, 80))} is not a header name`)
  return text.toLowerCase()
}
