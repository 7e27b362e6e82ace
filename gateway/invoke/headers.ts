// Which headers go through to a function and back.
import type { IncomingMessage } from 'node:http'
import type { Socket } from 'node:net'

import type { HeaderList } from '#core/invocation'
import { checkHeaders, type RequestLimits } from '#core/limits'

/** About one connection, not about the message (RFC 9110, 7.6.1). */
const HOP_BY_HOP = new Set([
  'connection',
  'keep-alive',
  'proxy-authenticate',
  'proxy-authorization',
  'proxy-connection',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade',
])
/** Answered by the gateway itself. */
const CONSUMED = new Set([...HOP_BY_HOP, 'expect'])
/** Said by the gateway about the client, and so by nobody else. */
const FORWARDED = new Set(['forwarded', 'x-forwarded-for', 'x-forwarded-proto', 'x-forwarded-host'])
/** What can stand in the origin of a URL. */
const HOST = /^[\w.:[\]-]+$/
/** Names that the platform speaks for. */
const OWN_PREFIX = 'hearth-'

export interface Forwarding {
  readonly trustProxy: boolean
  /** The token was for the gateway: the function must not see it. */
  readonly hideAuthorization: boolean
}

export interface ForwardedRequest {
  readonly origin: string
  readonly headers: HeaderList
  /** JSON of `headers`, once they have repeated. */
  readonly headersJson?: string | undefined
  /** Of the body that follows; undefined when it does not say. */
  readonly bodyBytes: number | undefined
  /** Whether it has an Idempotency-Key. */
  readonly keyed: boolean
}

/** Requests with more are not worth the memory of a connection that may be idle. */
const MOST_KEPT = 32

interface Kept {
  readonly rawHeaders: readonly string[]
  readonly hideAuthorization: boolean
  forwarded: ForwardedRequest
}

/**
 * As forwardRequest. Clients repeat their headers on a connection, and to compare them costs a tenth of going through them,
 * so what came of the last ones is kept as long as the connection.
 */
export class RequestForwarder {
  readonly #options: RequestLimits & { readonly trustProxy: boolean }
  readonly #kept = new WeakMap<Socket, Kept>()

  constructor(options: RequestLimits & { readonly trustProxy: boolean }) {
    this.#options = options
  }

  /** @throws PlatformError `too-many-headers` */
  forward(req: IncomingMessage, hideAuthorization: boolean): ForwardedRequest {
    const { rawHeaders, socket } = req
    const kept = this.#kept.get(socket)
    if (kept?.hideAuthorization === hideAuthorization && sameTexts(kept.rawHeaders, rawHeaders)) return repeated(kept)
    const forwarded = forwardRequest(req, { trustProxy: this.#options.trustProxy, hideAuthorization })
    checkHeaders(forwarded.headers, this.#options)
    if (rawHeaders.length <= 2 * MOST_KEPT) this.#kept.set(socket, { rawHeaders, hideAuthorization, forwarded })
    return forwarded
  }
}

function repeated(kept: Kept): ForwardedRequest {
  if (kept.forwarded.headersJson === undefined) {
    kept.forwarded = { ...kept.forwarded, headersJson: JSON.stringify(kept.forwarded.headers) }
  }
  return kept.forwarded
}

function sameTexts(a: readonly string[], b: readonly string[]): boolean {
  if (a.length !== b.length) return false
  for (let index = 0; index < a.length; index++) if (a[index] !== b[index]) return false
  return true
}

/** The headers for the function, and what it sees as the origin of its URL. */
export function forwardRequest(req: IncomingMessage, { trustProxy, hideAuthorization }: Forwarding): ForwardedRequest {
  const { rawHeaders } = req
  const { connection, 'content-length': length = '0', 'transfer-encoding': coding } = req.headers
  const listed = listedInConnection(connection)
  const headers: [string, string][] = []
  for (let i = 0; i < rawHeaders.length; i += 2) {
    const name = (rawHeaders[i] as string).toLowerCase()
    if (!isPassedOn(name) || listed?.has(name)) continue
    if (hideAuthorization && name === 'authorization') continue
    headers.push([name, rawHeaders[i + 1] as string])
  }
  const client = clientOf(req, trustProxy)
  headers.push(
    ['x-forwarded-for', client.chain],
    ['x-forwarded-proto', client.proto],
    ['x-forwarded-host', client.host],
  )
  const bodyBytes = coding === undefined ? Number(length) : undefined
  const keyed = req.headers['idempotency-key'] !== undefined
  return { origin: `${client.proto}://${client.host}`, headers, bodyBytes, keyed }
}

/** Whether a header of a client is for the function. @param name lower case */
export function isPassedOn(name: string): boolean {
  return !CONSUMED.has(name) && !FORWARDED.has(name) && !name.startsWith(OWN_PREFIX)
}

/** `http://host:port` as the client wrote it. */
export function originOf(req: IncomingMessage, trustProxy: boolean): string {
  const { proto, host } = clientOf(req, trustProxy)
  return `${proto}://${host}`
}

function clientOf(req: IncomingMessage, trustProxy: boolean): { chain: string; proto: string; host: string } {
  const address = req.socket.remoteAddress ?? 'unknown'
  const named = req.headers.host
  const host = named !== undefined && HOST.test(named) ? named : localHost(req)
  if (!trustProxy) return { chain: address, proto: 'http', host }
  const before = text(req.headers['x-forwarded-for'])
  const claimed = first(text(req.headers['x-forwarded-host']))
  return {
    chain: before === undefined ? address : `${before}, ${address}`,
    proto: first(text(req.headers['x-forwarded-proto'])) === 'https' ? 'https' : 'http',
    host: claimed !== undefined && HOST.test(claimed) ? claimed : host,
  }
}

/** A function's headers as node:http takes them, flat, without those that are not the function's to send. */
export function forwardResponse(headers: HeaderList, flat: string[]): void {
  const listed = listedInConnection(headerOf(headers, 'connection'))
  for (const [name, value] of headers) {
    if (HOP_BY_HOP.has(name) || name === 'content-length' || name.startsWith(OWN_PREFIX) || listed?.has(name)) continue
    flat.push(name, value)
  }
}

/** The first header of this name. */
export function headerOf(headers: HeaderList, wanted: string): string | undefined {
  for (const [name, value] of headers) if (name === wanted) return value
  return undefined
}

/** What a Connection header declares to be hop-by-hop too; undefined in the usual case. */
function listedInConnection(connection: string | undefined): Set<string> | undefined {
  if (connection === undefined || connection === 'keep-alive' || connection === 'close') return undefined
  // `host` and the like cannot be talked away: only what the message could do without.
  const names = connection.toLowerCase().split(',')
  return new Set(names.map((name) => name.trim()).filter((name) => name !== 'host' && !name.startsWith('content-')))
}

function localHost({ socket }: IncomingMessage): string {
  const address = socket.localAddress ?? 'localhost'
  return `${address.includes(':') ? `[${address}]` : address}:${socket.localPort ?? 80}`
}

function text(value: string | readonly string[] | undefined): string | undefined {
  return typeof value === 'string' ? value : value?.join(', ')
}

function first(list: string | undefined): string | undefined {
  return list?.split(',')[0]?.trim()
}
