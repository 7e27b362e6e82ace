// The URL record and the basic URL parser, written by components instead of the standard's state machine: a step
// takes a whole part with a regular expression, which an interpreter does far faster than one character at a time.
import { parseHost } from './url-host.ts'
import { ENCODE, percentEncode } from './percent.ts'

export interface UrlRecord {
  /** Without the colon. */
  scheme: string
  username: string
  password: string
  /** null: none, as in `mailto:`; empty as in `file:///`. */
  host: string | null
  port: number | null
  /** A string is an opaque path. */
  path: string[] | string
  query: string | null
  fragment: string | null
}

const DEFAULT_PORTS: Readonly<Record<string, number | null>> = {
  http: 80,
  https: 443,
  ws: 80,
  wss: 443,
  ftp: 21,
  file: null,
}

export function isSpecial(scheme: string): boolean {
  return Object.hasOwn(DEFAULT_PORTS, scheme)
}

const OCTET = String.raw`(?:25[0-5]|2[0-4]\d|1\d\d|[1-9]?\d)`
const LABEL = String.raw`[a-z](?:[a-z\d-]*[a-z\d])?`
/** An http URL in which nothing is to be encoded, resolved or refused: what a function's requests have. */
const PLAIN = new RegExp(
  String.raw`^(https?)://((?:${OCTET}\.){3}${OCTET}|${LABEL}(?:\.${LABEL})*)(?::(\d{1,4}))?(/[\w\-.~!$&()*+,;=:@/%]*)(?:\?([\w\-.~!$&()*+,;=:@/%?]*))?$`,
)
const DOT_SEGMENT = /\/(?:\.|%2e){1,2}(?:\/|$)/i

/** Undefined when it is not valid. */
export function parseUrl(input: string, base?: UrlRecord): UrlRecord | undefined {
  const plain = PLAIN.exec(input)
  if (plain !== null && !DOT_SEGMENT.test(plain[4] as string)) return plainUrl(plain)
  return parseAny(input, base)
}

function plainUrl([, scheme, host, port, path, query]: RegExpExecArray): UrlRecord {
  const url = emptyUrl(scheme as string)
  url.host = host as string
  setPort(url, port ?? '')
  url.path = (path as string).slice(1).split('/')
  url.query = query ?? null
  return url
}

function parseAny(input: string, base?: UrlRecord): UrlRecord | undefined {
  // oxlint-disable-next-line no-control-regex -- the standard names these characters
  const trimmed = input
    .toWellFormed()
    .replace(/^[\0-\x20]+/, '')
    .replace(/[\0-\x20]+$/, '')
  const [beforeFragment, fragment] = cut(trimmed.replaceAll(/[\t\n\r]/g, ''), '#')
  const scheme = /^([A-Za-z][A-Za-z0-9+\-.]*):/.exec(beforeFragment)?.[1]
  const url = scheme === undefined ? parseRelative(beforeFragment, base) : parseAbsolute(beforeFragment, scheme, base)
  if (url === undefined) return undefined
  url.fragment = fragment === null ? null : percentEncode(fragment, ENCODE.fragment)
  if (scheme === undefined && base !== undefined && typeof base.path === 'string' && fragment === null) return undefined
  return url
}

function parseAbsolute(input: string, written: string, base: UrlRecord | undefined): UrlRecord | undefined {
  const scheme = written.toLowerCase()
  const rest = input.slice(written.length + 1)
  const url = emptyUrl(scheme)
  if (scheme === 'file') return parseFile(rest, url, base?.scheme === 'file' ? base : undefined)
  if (isSpecial(scheme)) {
    if (base?.scheme === scheme && !/^[/\\]{2}/.test(rest)) return parseAgainst(rest, base)
    return parseAuthorityAndPath(rest.replace(/^[/\\]+/, ''), url)
  }
  if (rest.startsWith('//')) return parseAuthorityAndPath(rest.slice(2), url)
  if (rest.startsWith('/')) return withPathAndQuery(rest, url)
  const [path, query] = cut(rest, '?')
  url.path = percentEncode(path, ENCODE.c0)
  setQuery(url, query)
  if (url.query !== null || url.fragment !== null) return url
  return url
}

function parseRelative(input: string, base: UrlRecord | undefined): UrlRecord | undefined {
  if (base === undefined) return undefined
  if (typeof base.path === 'string') return input === '' ? { ...base } : undefined
  if (base.scheme === 'file') return parseFile(input, emptyUrl('file'), base)
  return parseAgainst(input, base)
}

function parseAgainst(input: string, base: UrlRecord): UrlRecord | undefined {
  const slash = isSpecial(base.scheme) ? /^[/\\]/ : /^\//
  const url: UrlRecord = { ...base, path: [...base.path], fragment: null }
  if (slash.test(input) && slash.test(input.slice(1))) {
    const rest = isSpecial(base.scheme) ? input.replace(/^[/\\]+/, '') : input.slice(2)
    return parseAuthorityAndPath(rest, emptyUrl(base.scheme))
  }
  if (slash.test(input)) return withPathAndQuery(input, { ...url, path: [] })
  return mergeWithBase(input, url)
}

/** `input` starts with no slash: a relative path, a query or nothing. */
function mergeWithBase(input: string, url: UrlRecord): UrlRecord {
  const [path, query] = cut(input, '?')
  if (path === '') {
    if (query !== null) setQuery(url, query)
    return url
  }
  const segments = url.path as string[]
  shorten(segments, url.scheme)
  appendPath(path, segments, url)
  setQuery(url, query)
  return url
}

function parseAuthorityAndPath(input: string, url: UrlRecord): UrlRecord | undefined {
  const special = isSpecial(url.scheme)
  const end = input.search(special ? /[/\\?]/ : /[/?]/)
  const authority = end < 0 ? input : input.slice(0, end)
  const at = authority.lastIndexOf('@')
  const hostAndPort = authority.slice(at + 1)
  if (at >= 0) {
    if (hostAndPort === '') return undefined
    const [username, password] = cut(authority.slice(0, at), ':')
    url.username = percentEncode(username, ENCODE.userinfo)
    url.password = percentEncode(password ?? '', ENCODE.userinfo)
  }
  const parts = /^(\[[^\]]*\]|[^:]*)(?::(.*))?$/.exec(hostAndPort)
  if (parts === null || !setHost(url, parts[1] as string) || !setPort(url, parts[2] ?? '')) return undefined
  if (parts[1] === '' && hostAndPort !== '') return undefined
  return withPathAndQuery(end < 0 ? '' : input.slice(end), url)
}

/** False when the host is not valid. */
export function setHost(url: UrlRecord, text: string): boolean {
  const special = isSpecial(url.scheme)
  if (text === '') {
    if (special && url.scheme !== 'file') return false
    url.host = ''
    return true
  }
  const host = parseHost(text, special)
  if (host === undefined) return false
  url.host = host
  return true
}

/** False when the port is not valid. */
export function setPort(url: UrlRecord, text: string): boolean {
  if (text === '') {
    url.port = null
    return true
  }
  if (!/^\d+$/.test(text) || Number(text) > 65_535) return false
  url.port = Number(text) === DEFAULT_PORTS[url.scheme] ? null : Number(text)
  return true
}

function parseFile(input: string, url: UrlRecord, base: UrlRecord | undefined): UrlRecord | undefined {
  url.host = ''
  if (/^[/\\]{2}/.test(input)) return parseFileHost(input.slice(2), url)
  if (/^[/\\]/.test(input)) {
    const drive = base === undefined ? undefined : (base.path as string[])[0]
    if (base !== undefined) url.host = base.host
    const keepsDrive = drive !== undefined && /^[A-Za-z]:$/.test(drive) && !startsWithDrive(input.slice(1))
    if (keepsDrive) url.path = [drive]
    return withPathAndQuery(input, url)
  }
  if (base === undefined) return withPathAndQuery(input === '' ? '' : `/${input}`, url)
  if (startsWithDrive(input)) return withPathAndQuery(`/${input}`, { ...url, host: base.host })
  return mergeWithBase(input, { ...base, path: [...base.path], fragment: null })
}

function parseFileHost(input: string, url: UrlRecord): UrlRecord | undefined {
  const end = input.search(/[/\\?]/)
  const host = end < 0 ? input : input.slice(0, end)
  if (/^[A-Za-z][:|]$/.test(host)) return withPathAndQuery(`/${input}`, url)
  if (!setHost(url, host)) return undefined
  if (url.host === 'localhost') url.host = ''
  return withPathAndQuery(end < 0 ? '' : input.slice(end), url)
}

function startsWithDrive(input: string): boolean {
  return /^[A-Za-z][:|](?:[/\\?#]|$)/.test(input)
}

/** `input` is empty or starts with a slash or a question mark. */
function withPathAndQuery(input: string, url: UrlRecord): UrlRecord {
  const [path, query] = cut(input, '?')
  const segments = url.path as string[]
  if (path !== '') appendPath(path.slice(1), segments, url)
  else if (isSpecial(url.scheme)) segments.push('')
  setQuery(url, query)
  return url
}

const SINGLE_DOT = /^(?:\.|%2e)$/i
const DOUBLE_DOT = /^(?:\.|%2e){2}$/i

/** @param path without the first slash */
export function appendPath(path: string, segments: string[], url: UrlRecord): void {
  const parts = path.split(isSpecial(url.scheme) ? /[/\\]/ : '/')
  parts.forEach((part, index) => {
    const last = index === parts.length - 1
    if (DOUBLE_DOT.test(part)) {
      shorten(segments, url.scheme)
      if (last) segments.push('')
    } else if (SINGLE_DOT.test(part)) {
      if (last) segments.push('')
    } else {
      const drive = url.scheme === 'file' && segments.length === 0 && /^[A-Za-z][:|]$/.test(part)
      segments.push(drive ? `${part[0]}:` : percentEncode(part, ENCODE.path))
    }
  })
}

function shorten(segments: string[], scheme: string): void {
  if (scheme === 'file' && segments.length === 1 && /^[A-Za-z]:$/.test(segments[0] as string)) return
  segments.pop()
}

export function setQuery(url: UrlRecord, query: string | null): void {
  url.query = query === null ? null : percentEncode(query, isSpecial(url.scheme) ? ENCODE.specialQuery : ENCODE.query)
}

export function formatUrl(url: UrlRecord, withFragment = true): string {
  let text = `${url.scheme}:`
  if (url.host !== null) {
    text += '//'
    if (url.username !== '' || url.password !== '') {
      text += `${url.username}${url.password === '' ? '' : `:${url.password}`}@`
    }
    text += url.host + (url.port === null ? '' : `:${url.port}`)
  } else if (typeof url.path !== 'string' && url.path.length > 1 && url.path[0] === '') {
    // Else the path would read as an authority.
    text += '/.'
  }
  text += formatPath(url)
  if (url.query !== null) text += `?${url.query}`
  return withFragment && url.fragment !== null ? `${text}#${url.fragment}` : text
}

export function formatPath({ path }: UrlRecord): string {
  return typeof path === 'string' ? path : path.map((segment) => `/${segment}`).join('')
}

function emptyUrl(scheme: string): UrlRecord {
  return { scheme, username: '', password: '', host: null, port: null, path: [], query: null, fragment: null }
}

/** At the first separator; the second part is null when there is none. */
function cut(text: string, separator: string): [string, string | null] {
  const at = text.indexOf(separator)
  return at < 0 ? [text, null] : [text.slice(0, at), text.slice(at + 1)]
}
