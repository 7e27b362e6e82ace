// Response of the Fetch standard.
import { Body, cloneBody, type BodyInit, typed } from './body.ts'
import { Headers, type HeadersInit } from './headers.ts'
import { URL } from './url.ts'

export interface ResponseInit {
  readonly status?: number
  readonly statusText?: string
  readonly headers?: HeadersInit
}

const NULL_BODY = [101, 103, 204, 205, 304]
const REDIRECT = [301, 302, 303, 307, 308]

/** What only responses have that nobody constructed. */
interface Origin {
  readonly type?: 'default' | 'error'
  readonly url?: string
  readonly redirected?: boolean
}

/** Says where a response came from. */
export let setOrigin: (response: Response, origin: Origin) => Response

export class Response extends Body {
  static {
    setOrigin = (response, origin) => {
      response.#origin = origin
      return response
    }
  }

  readonly status: number
  readonly statusText: string
  #origin: Origin | undefined

  constructor(body?: BodyInit, init?: ResponseInit | null) {
    if (init === undefined || init === null) {
      super(body)
      this.status = 200
      this.statusText = ''
      return
    }
    const { status = 200, statusText = '', headers } = init
    const number = Math.trunc(Number(status))
    if (!(number >= 200 && number <= 599)) throw new RangeError(`a status is in [200, 599]: received ${status}`)
    if ((body ?? null) !== null && NULL_BODY.includes(number)) {
      throw new TypeError(`a response with status ${number} must not have a body`)
    }
    super(body, headers === undefined ? undefined : new Headers(headers))
    this.status = number
    this.statusText = String(statusText)
  }

  static json(value: unknown, init?: ResponseInit | null): Response {
    const text = JSON.stringify(value)
    if (text === undefined) throw new TypeError('Response.json: the value cannot be written as JSON')
    if (init?.headers === undefined) return typed(new Response(text, init), 'application/json')
    const headers = new Headers(init.headers)
    if (!headers.has('content-type')) headers.set('content-type', 'application/json')
    return new Response(text, { ...init, headers })
  }

  static redirect(url: unknown, status = 302): Response {
    if (!REDIRECT.includes(status))
      throw new RangeError(`a redirect has one of ${REDIRECT.join(', ')}: received ${status}`)
    return new Response(null, { status, headers: { location: new URL(url).href } })
  }

  static error(): Response {
    return setOrigin(Object.assign(new Response(null), { status: 0 }), { type: 'error' })
  }

  get type(): string {
    return this.#origin?.type ?? 'default'
  }

  get url(): string {
    return this.#origin?.url ?? ''
  }

  get redirected(): boolean {
    return this.#origin?.redirected ?? false
  }

  get ok(): boolean {
    return this.status >= 200 && this.status <= 299
  }

  clone(): Response {
    const body = cloneBody(this)
    const copy = new Response(body, { status: this.status, statusText: this.statusText, headers: this.headers })
    return this.#origin === undefined ? copy : setOrigin(copy, this.#origin)
  }

  get [Symbol.toStringTag](): string {
    return 'Response'
  }
}
