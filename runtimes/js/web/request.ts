// Request of the Fetch standard.
import type { HostRequest, Redirect } from 'hearth:js/host@0.1.0'

import { Body, cloneBody, takeBody, type BodyInit } from './body.ts'
import { AbortController, type AbortSignal, lazySignal } from './events.ts'
import { Headers, type HeadersInit } from './headers.ts'
import { URL } from './url.ts'

export interface RequestInit {
  readonly method?: string
  readonly headers?: HeadersInit
  readonly body?: BodyInit
  readonly signal?: AbortSignal | null
  readonly redirect?: Redirect
}

const TOKEN = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/
const REDIRECTS: readonly Redirect[] = ['follow', 'manual', 'error']
const UPPER_CASED = ['GET', 'HEAD', 'POST', 'PUT', 'DELETE', 'OPTIONS']

/** In place of `init`: `input` is a request of the host, who has checked it. Nothing of it is parsed or copied. */
export const INCOMING = Symbol('incoming')

export class Request extends Body {
  readonly method: string
  readonly url: string
  readonly redirect: Redirect
  /** Few look at it: it is made for those. */
  #signal: AbortSignal | undefined
  /** The call that it came with; 0 for one that the user's code made. */
  readonly #call: number

  constructor(input: unknown, init: RequestInit | typeof INCOMING = {}) {
    if (init === INCOMING) {
      const { call, method, url, headers, body } = input as HostRequest
      super(body.length === 0 ? null : body, headers)
      this.method = method
      this.url = url
      this.redirect = 'follow'
      this.#call = call
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
    this.redirect = checkedRedirect(init.redirect ?? from?.redirect ?? 'follow')
    this.#signal = init.signal ?? from?.signal
    this.#call = 0
  }

  get signal(): AbortSignal {
    return (this.#signal ??= signalOf(this.#call))
  }

  clone(): Request {
    const body = cloneBody(this)
    const init = {
      method: this.method,
      headers: this.headers,
      signal: this.signal,
      redirect: this.redirect,
    }
    return new Request(this.url, body === null ? init : { ...init, body })
  }

  get [Symbol.toStringTag](): string {
    return 'Request'
  }
}

type WatchCancel = (call: number, abort: (reason: unknown) => void) => void

let watchCancel: WatchCancel = () => {}

/** What the signals of incoming requests go by. */
export function signalsBy(watch: WatchCancel): void {
  watchCancel = watch
}

function signalOf(call: number): AbortSignal {
  return call === 0 ? new AbortController().signal : lazySignal((abort) => watchCancel(call, abort))
}

function normalMethod(method: string): string {
  const text = String(method)
  const upper = text.toUpperCase()
  if (!TOKEN.test(text) || ['CONNECT', 'TRACE', 'TRACK'].includes(upper)) {
    throw new TypeError(`${JSON.stringify(text)} is not a method of a request`)
  }
  return UPPER_CASED.includes(upper) ? upper : text
}

function checkedRedirect(redirect: Redirect): Redirect {
  if (REDIRECTS.includes(redirect)) return redirect
  throw new TypeError(`redirect is one of ${REDIRECTS.join(', ')}: received ${String(redirect)}`)
}

function checkedUrl(input: unknown): string {
  const url = new URL(input)
  if (url.username !== '' || url.password !== '') throw new TypeError('the URL of a request must not have credentials')
  return url.href
}
