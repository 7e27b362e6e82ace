// URLSearchParams: the application/x-www-form-urlencoded parser, serializer and list.
import { encodeUtf8 } from './encoding.ts'
import { percentDecodeText } from './percent.ts'

export type SearchParamsInit = string | Iterable<readonly [string, string]> | Readonly<Record<string, string>>

/** The params of a URL: changes are written back to it. */
export let ownedParams: (query: string, onChange: (query: string) => void) => URLSearchParams
/** Takes over a query that the URL was given. */
export let refillParams: (params: URLSearchParams, query: string) => void

export class URLSearchParams {
  static {
    ownedParams = (query, onChange) => {
      const params = new URLSearchParams()
      params.#list = parseForm(query)
      params.#onChange = onChange
      return params
    }
    refillParams = (params, query) => {
      params.#list = parseForm(query)
    }
  }

  #list: [string, string][] = []
  #onChange: ((query: string) => void) | undefined

  constructor(init: SearchParamsInit | null = '') {
    if (typeof init === 'object' && init !== null) this.#list = listOf(init)
    else this.#list = parseForm(String(init).replace(/^\?/, ''))
  }

  get size(): number {
    return this.#list.length
  }

  append(name: string, value: string): void {
    this.#list.push([wellFormed(name), wellFormed(value)])
    this.#changed()
  }

  delete(name: string, value?: string): void {
    const [key, wanted] = [wellFormed(name), value === undefined ? undefined : wellFormed(value)]
    this.#list = this.#list.filter((pair) => pair[0] !== key || (wanted !== undefined && pair[1] !== wanted))
    this.#changed()
  }

  get(name: string): string | null {
    const key = wellFormed(name)
    return this.#list.find((pair) => pair[0] === key)?.[1] ?? null
  }

  getAll(name: string): string[] {
    const key = wellFormed(name)
    return this.#list.filter((pair) => pair[0] === key).map((pair) => pair[1])
  }

  has(name: string, value?: string): boolean {
    const [key, wanted] = [wellFormed(name), value === undefined ? undefined : wellFormed(value)]
    return this.#list.some((pair) => pair[0] === key && (wanted === undefined || pair[1] === wanted))
  }

  set(name: string, value: string): void {
    const key = wellFormed(name)
    const first = this.#list.findIndex((pair) => pair[0] === key)
    if (first < 0) {
      this.#list.push([key, wellFormed(value)])
    } else {
      this.#list[first] = [key, wellFormed(value)]
      this.#list = this.#list.filter((pair, index) => pair[0] !== key || index === first)
    }
    this.#changed()
  }

  /** By name, in UTF-16 units; equal names keep their order. */
  sort(): void {
    this.#list.sort(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0))
    this.#changed()
  }

  forEach(visit: (value: string, name: string, params: URLSearchParams) => void, self?: unknown): void {
    for (const [name, value] of this) visit.call(self, value, name, this)
  }

  *entries(): IterableIterator<[string, string]> {
    // By index: a change while iterating is seen, as the standard wants.
    for (let index = 0; index < this.#list.length; index++) {
      const [name, value] = this.#list[index] as [string, string]
      yield [name, value]
    }
  }

  *keys(): IterableIterator<string> {
    for (const [name] of this.entries()) yield name
  }

  *values(): IterableIterator<string> {
    for (const [, value] of this.entries()) yield value
  }

  [Symbol.iterator](): IterableIterator<[string, string]> {
    return this.entries()
  }

  toString(): string {
    return this.#list.map(([name, value]) => `${encodeForm(name)}=${encodeForm(value)}`).join('&')
  }

  get [Symbol.toStringTag](): string {
    return 'URLSearchParams'
  }

  #changed(): void {
    this.#onChange?.(this.toString())
  }
}

function listOf(init: Exclude<SearchParamsInit, string>): [string, string][] {
  if (!(Symbol.iterator in init))
    return Object.entries(init).map(([name, value]) => [wellFormed(name), wellFormed(value)])
  return [...(init as Iterable<readonly [string, string]>)].map((pair) => {
    const [name, value, ...more] = [...pair]
    if (name === undefined || value === undefined || more.length > 0) {
      throw new TypeError('URLSearchParams: expected pairs of a name and a value')
    }
    return [wellFormed(name), wellFormed(value)]
  })
}

export function parseForm(text: string): [string, string][] {
  return text
    .split('&')
    .filter((part) => part !== '')
    .map((part) => {
      const at = part.indexOf('=')
      return at < 0 ? [decodeForm(part), ''] : [decodeForm(part.slice(0, at)), decodeForm(part.slice(at + 1))]
    })
}

function decodeForm(text: string): string {
  return /[+%\ud800-\udfff]/.test(text) ? percentDecodeText(text.replaceAll('+', ' ')) : text
}

function encodeForm(text: string): string {
  return text.replaceAll(/[^A-Za-z0-9*\-._]/gu, (character) => {
    if (character === ' ') return '+'
    let encoded = ''
    for (const byte of encodeUtf8(character)) encoded += `%${byte < 16 ? '0' : ''}${byte.toString(16).toUpperCase()}`
    return encoded
  })
}

function wellFormed(value: unknown): string {
  return String(value).toWellFormed()
}
