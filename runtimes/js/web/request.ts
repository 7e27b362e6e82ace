// Request of the Fetch standard.
import { Body, cloneBody, takeBody, type BodyInit } from './body.ts'
import { AbortController, type AbortSignal } from './events.ts'
import { Headers, type HeadersInit } from './headers.ts'
import { URL } from './url.ts'

export interface RequestInit {
  readonly method?: string
  readonly headers?: HeadersInit
  readonly body?: BodyInit
  readonly signal?: AbortSignal | null
  readonly redirect?: 'follow' | 'error' | 'manual'
}

const TOKEN = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/
const UPPER_CASED = ['GET', 'HEAD', 'POST', 'PUT', 'DELETE', 'OPTIONS']

/** What the host has checked already: nothing of it is parsed or copied. */
export class Incoming {
  readonly method: string
  readonly url: string
  readonly headers: Headers
  readonly body: Uint8Array | null
  readonly signal: AbortSignal

  constructor(given: Incoming) {
    this.method = given.method
    this.url = given.url
    this.headers = given.headers
    this.body = given.body
    this.signal = given.signal
  }
}

export class Request extends Body {
  readonly method: string
  readonly url: string
  readonly redirect: string
  readonly signal: AbortSignal

  constructor(input: unknown, init: RequestInit = {}) {
    if (input instanceof Incoming) {
      super(input.body, input.headers)
      this.method = input.method
      this.url = input.url
      this.redirect = 'follow'
      this.signal = input.signal
      return
    }
    const from = input instanceof Request ? input : undefined
    const method = normalMethod(init.method ?? from?.method ?? 'GET')
    const body = init.body ?? (from === undefined ? null : takeBody(from))
    if (body !== null && (method === 'GET' || method === 'HEAD')) {
      throw new TypeError(`a ${method} request must not have a body`)
    }
    super(body, new Headers(init.headers ?? from?.headers))
    this.method = method
    this.url = from?.url ?? checkedUrl(input)
    this.redirect = init.redirect ?? from?.redirect ?? 'follow'
    this.signal = init.signal ?? from?.signal ?? new AbortController().signal
  }

  clone(): Request {
    const body = cloneBody(this)
    const init = {
      method: this.method,
      headers: this.headers,
      signal: this.signal,
      redirect: this.redirect as 'follow',
    }
    return new Request(this.url, body === null ? init : { ...init, body })
  }

  get [Symbol.toStringTag](): string {
    return 'Request'
  }
}

function normalMethod(method: string): string {
  const text = String(method)
  const upper = text.toUpperCase()
  if (!TOKEN.test(text) || ['CONNECT', 'TRACE', 'TRACK'].includes(upper)) {
    throw new TypeError(`${JSON.stringify(text)} is not a method of a request`)
  }
  return UPPER_CASED.includes(upper) ? upper : text
}

function checkedUrl(input: unknown): string {
  const url = new URL(input)
  if (url.username !== '' || url.password !== '') throw new TypeError('the URL of a request must not have credentials')
  return url.href
}
