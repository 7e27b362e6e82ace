// The Common Gateway Interface (RFC 3875), by which a command hears of its request and says its response. Pure.
import type { InvokeHead } from '#core/frames'

export interface CgiHead {
  readonly status: number
  readonly headers: readonly (readonly [string, string])[]
}

/** What a command has printed, as far as it can be told by now. */
export type CgiOutput =
  /** It may still become a head. */
  | { readonly kind: 'undecided' }
  | { readonly kind: 'head'; readonly head: CgiHead; readonly body: Uint8Array }
  /** It does not begin with a head: all of it is body. */
  | { readonly kind: 'plain' }

/** A longer head is none. */
const MAX_HEAD_BYTES = 65_536
const HEADER = /^([!#$%&'*+.^_`|~0-9A-Za-z-]+):[ \t]*(.*?)[ \t]*$/
/** RFC 3875 §6.2 wants one of them; without, `Note: text` at the start of a text would be taken for a header. */
const TELLING = new Set(['content-type', 'status', 'location'])

/**
 * The environment of a command. What the function's spec says wins.
 * @param bodyBytes of the request
 */
export function cgiEnvironment(
  { method, target, origin, headers }: InvokeHead,
  bodyBytes: number,
  env: Readonly<Record<string, string>>,
): Record<string, string> {
  const query = target.indexOf('?')
  const url = new URL(origin)
  const variables: Record<string, string> = {
    GATEWAY_INTERFACE: 'CGI/1.1',
    SERVER_SOFTWARE: 'hearth',
    SERVER_PROTOCOL: 'HTTP/1.1',
    SERVER_NAME: url.hostname,
    SERVER_PORT: url.port || (url.protocol === 'https:' ? '443' : '80'),
    REQUEST_METHOD: method,
    REQUEST_URI: target,
    SCRIPT_NAME: '',
    PATH_INFO: decoded(query === -1 ? target : target.slice(0, query)),
    QUERY_STRING: query === -1 ? '' : target.slice(query + 1),
  }
  if (bodyBytes > 0) variables.CONTENT_LENGTH = String(bodyBytes)
  for (const [name, value] of headers) {
    if (name === 'content-type') variables.CONTENT_TYPE = value
    // `Proxy: x` would become HTTP_PROXY, which programs take for their configuration (CVE-2016-5385).
    if (name === 'content-type' || name === 'content-length' || name === 'proxy') continue
    const variable = `HTTP_${name.toUpperCase().replaceAll('-', '_')}`
    const before = variables[variable]
    variables[variable] = before === undefined ? value : `${before}${name === 'cookie' ? '; ' : ', '}${value}`
  }
  return { ...variables, ...env }
}

/** @param output all of it so far */
export function readCgiOutput(output: Uint8Array): CgiOutput {
  const text = Buffer.from(output.buffer, output.byteOffset, Math.min(output.length, MAX_HEAD_BYTES)).toString('latin1')
  const headers: [string, string][] = []
  for (let start = 0; ;) {
    const end = text.indexOf('\n', start)
    if (end === -1)
      return couldBeHeader(text.slice(start)) && text.length < MAX_HEAD_BYTES
        ? { kind: 'undecided' }
        : { kind: 'plain' }
    const line = text.slice(start, end).replace(/\r$/, '')
    start = end + 1
    if (line === '') return headOf(headers, output.subarray(start))
    const header = HEADER.exec(line)
    if (header === null) return { kind: 'plain' }
    headers.push([header[1]!.toLowerCase(), header[2]!])
  }
}

/** For output without a head: what it is, by whether it is text. */
export function plainHead(output: Uint8Array): CgiHead {
  const type = isText(output) ? 'text/plain; charset=utf-8' : 'application/octet-stream'
  return { status: 200, headers: [['content-type', type]] }
}

function headOf(headers: readonly [string, string][], body: Uint8Array): CgiOutput {
  if (!headers.some(([name]) => TELLING.has(name))) return { kind: 'plain' }
  const value = (wanted: string): string | undefined => headers.find(([name]) => name === wanted)?.[1]
  const status = Number.parseInt(value('status') ?? '', 10) || (value('location') === undefined ? 200 : 302)
  return { kind: 'head', head: { status, headers: headers.filter(([name]) => name !== 'status') }, body }
}

function couldBeHeader(line: string): boolean {
  return /^[!#$%&'*+.^_`|~0-9A-Za-z-]*(?::.*)?\r?$/.test(line)
}

function isText(bytes: Uint8Array): boolean {
  try {
    return !new TextDecoder('utf-8', { fatal: true }).decode(bytes).includes('\0')
  } catch {
    return false
  }
}

function decoded(path: string): string {
  try {
    return decodeURIComponent(path)
  } catch {
    return path
  }
}
