// Goes out to the network for guests, who cannot: decides by core/egress.ts and connects to the very address that was
// judged, so that a name which resolves to something else a moment later gains nothing. Redirects are judged again.
import { lookup as dnsLookup } from 'node:dns/promises'
import { Agent as HttpAgent, type IncomingMessage, request as requestHttp } from 'node:http'
import { Agent as HttpsAgent, request as requestHttps } from 'node:https'
import { isIP } from 'node:net'

import type { Clock } from '#core/clock'
import { type EgressRule, refuseEgress } from '#core/egress'

import { decodeBody } from './egress-body.ts'
import { type EgressAnswer, type EgressHead, MAX_EGRESS_BYTES } from './control.ts'

export interface EgressLimits {
  /** From the request to the last byte, redirects included. */
  readonly timeoutMs: number
  /** Of a response, decompressed. */
  readonly maxBytes: number
  readonly maxRedirects: number
}

export interface EgressOptions {
  readonly clock: Clock
  readonly limits?: Partial<EgressLimits>
  /** All addresses of a name. */
  readonly lookup?: (host: string) => Promise<readonly string[]>
}

export interface EgressReply {
  readonly answer: EgressAnswer
  readonly body: Uint8Array
}

interface Hop {
  readonly method: string
  readonly url: URL
  readonly headers: readonly (readonly [string, string])[]
  readonly body: Uint8Array
}

const LIMITS: EgressLimits = { timeoutMs: 60_000, maxBytes: MAX_EGRESS_BYTES, maxRedirects: 20 }
/** Ours to say, not the guest's: they frame the message, or name another host than the one that was judged. */
const OURS = new Set([
  'accept-encoding',
  'connection',
  'content-length',
  'expect',
  'host',
  'keep-alive',
  'proxy-authorization',
  'proxy-connection',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade',
])
const SECRETS = new Set(['authorization', 'cookie'])
const REDIRECTS = new Set([301, 302, 303, 307, 308])

export class EgressGate implements Disposable {
  readonly #clock: Clock
  readonly #limits: EgressLimits
  readonly #lookup: (host: string) => Promise<readonly string[]>
  readonly #http = new HttpAgent({ keepAlive: true })
  readonly #https = new HttpsAgent({ keepAlive: true })

  constructor({ clock, limits = {}, lookup = lookupAll }: EgressOptions) {
    this.#clock = clock
    this.#limits = { ...LIMITS, ...limits }
    this.#lookup = lookup
  }

  /** Never rejects: whatever goes wrong is an answer. */
  async fetch(
    request: EgressHead & { body: Uint8Array },
    rules: readonly EgressRule[],
    signal: AbortSignal,
  ): Promise<EgressReply> {
    const { timeoutMs } = this.#limits
    const timeout = new AbortController()
    const expire = (): void => timeout.abort(new Error(`no complete response within ${timeoutMs} ms`))
    const timer = this.#clock.after(timeoutMs, expire)
    try {
      const either = AbortSignal.any([signal, timeout.signal])
      return await this.#follow({ ...request, url: new URL(request.url) }, rules, either)
    } catch (error) {
      const { message } = timeout.signal.aborted ? (timeout.signal.reason as Error) : (error as Error)
      return { answer: { ok: false, message: `fetch failed: ${message}` }, body: new Uint8Array(0) }
    } finally {
      timer[Symbol.dispose]()
    }
  }

  [Symbol.dispose](): void {
    this.#http.destroy()
    this.#https.destroy()
  }

  async #follow(
    first: Hop & { redirect: EgressHead['redirect'] },
    rules: readonly EgressRule[],
    signal: AbortSignal,
  ): Promise<EgressReply> {
    let hop: Hop = first
    for (let hops = 0; hops <= this.#limits.maxRedirects; hops++) {
      const response = await this.#send(hop, await this.#judge(hop.url, rules), signal)
      const { statusCode: status = 0 } = response
      const { location } = response.headers
      if (first.redirect !== 'manual' && REDIRECTS.has(status) && location !== undefined) {
        response.destroy()
        if (first.redirect === 'error') throw new Error(`redirected to ${location}, which redirect: "error" forbids`)
        hop = redirected(hop, status, location)
        continue
      }
      const { body, headers } = await decodeBody(response, this.#limits.maxBytes)
      const url = hop.url.href.replace(/#.*$/s, '')
      return { answer: { ok: true, status, headers, url, redirected: hops > 0 }, body }
    }
    throw new Error(`more than ${this.#limits.maxRedirects} redirects`)
  }

  /** @returns the address to connect to. @throws Error when there is none that the rules allow */
  async #judge(url: URL, rules: readonly EgressRule[]): Promise<string> {
    if (url.protocol !== 'http:' && url.protocol !== 'https:')
      throw new Error(`only http: and https: can be fetched: received ${url.protocol}`)
    const host = url.hostname.replace(/^\[(.*)\]$/, '$1').toLowerCase()
    const port = url.port === '' ? (url.protocol === 'https:' ? 443 : 80) : Number(url.port)
    const addresses = isIP(host) === 0 ? await this.#lookup(host) : [host]
    let refusal = `${host} has no address`
    for (const address of addresses) {
      const reason = refuseEgress({ host, port, address }, rules)
      if (reason === undefined) return address
      refusal = `denied, ${reason}`
    }
    throw new Error(refusal)
  }

  /** Connects to the address; the URL's host is only what is said there, and what its certificate must be for. */
  #send({ method, url, headers, body }: Hop, address: string, signal: AbortSignal): Promise<IncomingMessage> {
    const secure = url.protocol === 'https:'
    const sent: string[] = ['host', url.host, 'accept-encoding', 'identity']
    for (const [name, value] of headers) if (!OURS.has(name.toLowerCase())) sent.push(name, value)
    if (!headers.some(([name]) => name.toLowerCase() === 'user-agent')) sent.push('user-agent', 'hearth')
    if (body.length > 0 || ['POST', 'PUT', 'PATCH'].includes(method)) sent.push('content-length', String(body.length))
    const options = {
      host: address,
      port: url.port === '' ? (secure ? 443 : 80) : Number(url.port),
      path: url.pathname + url.search,
      method,
      headers: sent,
      signal,
      setHost: false,
      ...(isIP(url.hostname) === 0 && !url.hostname.startsWith('[') ? { servername: url.hostname } : {}),
    }
    return new Promise((resolve, reject) => {
      const request = secure
        ? requestHttps({ ...options, agent: this.#https }, resolve)
        : requestHttp({ ...options, agent: this.#http }, resolve)
      request.on('error', reject)
      request.end(body)
    })
  }
}

async function lookupAll(host: string): Promise<readonly string[]> {
  const found = await dnsLookup(host, { all: true })
  return found.map(({ address }) => address)
}

/** As the fetch standard has it: 303, and a 301 or 302 after a POST, are followed by a GET. */
function redirected({ method, url, headers, body }: Hop, status: number, location: string): Hop {
  const next = new URL(location, url)
  const plain = (status === 303 && method !== 'HEAD') || (status < 303 && method === 'POST')
  const sameOrigin = next.origin === url.origin
  const kept = headers.filter(([name]) => {
    const lower = name.toLowerCase()
    return (sameOrigin || !SECRETS.has(lower)) && !(plain && lower.startsWith('content-'))
  })
  return { method: plain ? 'GET' : method, url: next, headers: kept, body: plain ? new Uint8Array(0) : body }
}
