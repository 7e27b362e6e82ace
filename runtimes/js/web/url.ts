// URL of the WHATWG standard. Fast for what a function sees most: an absolute http URL, read by its parts.
import {
  appendPath,
  formatPath,
  formatUrl,
  isSpecial,
  parseUrl,
  setHost,
  setPort,
  setQuery,
  type UrlRecord,
} from './url-parser.ts'
import { ENCODE, percentEncode } from './percent.ts'
import { ownedParams, refillParams, type URLSearchParams } from './url-search-params.ts'

export class URL {
  #url: UrlRecord
  #params: URLSearchParams | undefined

  constructor(input: unknown, base?: unknown) {
    const url = parsed(input, base)
    if (url === undefined) throw invalid(input)
    this.#url = url
  }

  static parse(input: unknown, base?: unknown): URL | null {
    return URL.canParse(input, base) ? new URL(input, base) : null
  }

  static canParse(input: unknown, base?: unknown): boolean {
    return parsed(input, base) !== undefined
  }

  get href(): string {
    return formatUrl(this.#url)
  }
  set href(value: string) {
    const url = parseUrl(String(value))
    if (url === undefined) throw invalid(value)
    this.#url = url
    this.#refreshParams()
  }

  get origin(): string {
    const { scheme, path } = this.#url
    if (scheme === 'blob' && typeof path === 'string') {
      const inner = parseUrl(path)
      return inner?.scheme === 'http' || inner?.scheme === 'https' ? originOf(inner) : 'null'
    }
    return isSpecial(scheme) && scheme !== 'file' ? originOf(this.#url) : 'null'
  }

  get protocol(): string {
    return `${this.#url.scheme}:`
  }
  set protocol(value: string) {
    const scheme = /^([A-Za-z][A-Za-z0-9+\-.]*)(?::|$)/.exec(String(value))?.[1]?.toLowerCase()
    const url = this.#url
    if (scheme === undefined || isSpecial(scheme) !== isSpecial(url.scheme)) return
    const hasCredentials = url.username !== '' || url.password !== '' || url.port !== null
    if ((scheme === 'file' && hasCredentials) || (url.scheme === 'file' && url.host === '')) return
    url.scheme = scheme
    if (url.port !== null) setPort(url, String(url.port))
  }

  get username(): string {
    return this.#url.username
  }
  set username(value: string) {
    if (this.#takesCredentials()) this.#url.username = percentEncode(String(value).toWellFormed(), ENCODE.userinfo)
  }

  get password(): string {
    return this.#url.password
  }
  set password(value: string) {
    if (this.#takesCredentials()) this.#url.password = percentEncode(String(value).toWellFormed(), ENCODE.userinfo)
  }

  get host(): string {
    return this.#url.port === null ? this.hostname : `${this.hostname}:${this.#url.port}`
  }
  set host(value: string) {
    this.#assignHost(String(value), true)
  }

  get hostname(): string {
    return this.#url.host ?? ''
  }
  set hostname(value: string) {
    this.#assignHost(String(value), false)
  }

  get port(): string {
    return this.#url.port === null ? '' : String(this.#url.port)
  }
  set port(value: string) {
    if (!this.#takesCredentials()) return
    const text = String(value).replaceAll(/[\t\n\r]/g, '')
    const digits = /^\d*/.exec(text)?.[0] ?? ''
    if (text === '' || digits !== '') setPort(this.#url, digits)
  }

  get pathname(): string {
    return formatPath(this.#url)
  }
  set pathname(value: string) {
    const url = this.#url
    if (typeof url.path === 'string') return
    const text = String(value)
      .toWellFormed()
      .replaceAll(/[\t\n\r]/g, '')
    const segments: string[] = []
    const special = isSpecial(url.scheme)
    if (text === '' && !special && url.host !== null) url.path = []
    else {
      appendPath((special ? /^[/\\]/ : /^\//).test(text) ? text.slice(1) : text, segments, url)
      url.path = segments.map((segment) => segment.replaceAll('?', '%3F').replaceAll('#', '%23'))
    }
  }

  get search(): string {
    return this.#url.query === null || this.#url.query === '' ? '' : `?${this.#url.query}`
  }
  set search(value: string) {
    const text = String(value)
      .toWellFormed()
      .replaceAll(/[\t\n\r]/g, '')
    setQuery(this.#url, text === '' ? null : text.replace(/^\?/, ''))
    this.#refreshParams()
  }

  get searchParams(): URLSearchParams {
    this.#params ??= ownedParams(this.#url.query ?? '', (query) => {
      this.#url.query = query === '' ? null : query
    })
    return this.#params
  }

  get hash(): string {
    return this.#url.fragment === null || this.#url.fragment === '' ? '' : `#${this.#url.fragment}`
  }
  set hash(value: string) {
    const text = String(value)
      .toWellFormed()
      .replaceAll(/[\t\n\r]/g, '')
    this.#url.fragment = text === '' ? null : percentEncode(text.replace(/^#/, ''), ENCODE.fragment)
  }

  toString(): string {
    return this.href
  }

  toJSON(): string {
    return this.href
  }

  get [Symbol.toStringTag](): string {
    return 'URL'
  }

  #takesCredentials(): boolean {
    return this.#url.host !== null && this.#url.host !== '' && this.#url.scheme !== 'file'
  }

  #assignHost(value: string, withPort: boolean): void {
    const url = this.#url
    if (typeof url.path === 'string') return
    const text = value.replaceAll(/[\t\n\r]/g, '')
    const end = text.search(isSpecial(url.scheme) ? /[/\\?#]/ : /[/?#]/)
    const parts = /^(\[[^\]]*\]|[^:]*)(:\d*)?/.exec(end < 0 ? text : text.slice(0, end))
    if (parts === null) return
    // A file has no port, so a colon says that this is no host.
    const takesPort = withPort && url.scheme !== 'file' && parts[1] !== ''
    if (parts[2] !== undefined && !takesPort) return
    const empty = parts[1] === ''
    if (empty && (url.username !== '' || url.password !== '' || url.port !== null)) return
    if (!setHost(url, parts[1] as string)) return
    if (withPort && (parts[2]?.length ?? 0) > 1) setPort(url, (parts[2] as string).slice(1))
  }

  #refreshParams(): void {
    if (this.#params !== undefined) refillParams(this.#params, this.#url.query ?? '')
  }
}

function parsed(input: unknown, base: unknown): UrlRecord | undefined {
  if (base === undefined) return parseUrl(String(input))
  const baseUrl = parseUrl(String(base))
  return baseUrl === undefined ? undefined : parseUrl(String(input), baseUrl)
}

function originOf({ scheme, host, port }: UrlRecord): string {
  return `${scheme}://${host}${port === null ? '' : `:${port}`}`
}

function invalid(input: unknown): TypeError {
  const error = new TypeError(`Invalid URL: ${JSON.stringify(String(input).slice(0, 200))}`)
  return Object.assign(error, { code: 'ERR_INVALID_URL' })
}
