'use strict'
// Request and Response with the interface of the Fetch standard, in the place of Node's: those cost 20 ms to load and
// 10 to 20 µs per call, these next to nothing while a body is text or bytes. What only Node's can do (parsing forms,
// sending with fetch) is done by Node's, loaded then.
const { Body, extract, native, isNative } = require('./body.cjs')
const { Headers, trustedHeaders, headerPairs } = require('./headers.cjs')
const { NOTHING } = require('./wire.cjs')

const NULL_BODY_STATUS = new Set([101, 103, 204, 205, 304])
const REDIRECT_STATUS = new Set([301, 302, 303, 307, 308])
/** The first argument of a constructor call from this file. */
const INTERNAL = Symbol('internal')

class Response extends Body {
  #status
  #statusText
  #headers
  #type = 'default'

  static [Symbol.hasInstance](value) {
    return isInstance(this, Response, 'Response', value)
  }

  static json(data, init) {
    const text = JSON.stringify(data)
    if (text === undefined)
      throw new TypeError('Response.json() takes what JSON can say: received undefined, a function or a symbol')
    const response = new Response(text, init)
    if (!hasHeader(init, 'content-type')) response.headers.set('content-type', 'application/json')
    return response
  }

  static redirect(url, status = 302) {
    if (!REDIRECT_STATUS.has(status))
      throw new RangeError(`a redirect status must be 301, 302, 303, 307 or 308: received ${status}`)
    return new Response(null, { status, headers: { location: new URL(url).href } })
  }

  static error() {
    const response = new Response(null)
    response.#type = 'error'
    response.#status = 0
    return response
  }

  constructor(body = null, init) {
    const { source, type } = extract(body)
    super(source)
    const status = init?.status === undefined ? 200 : Math.trunc(Number(init.status))
    if (!(status >= 200 && status <= 599)) {
      throw new RangeError(`a status must be an integer in [200, 599]: received ${String(init.status)}`)
    }
    if (source !== null && NULL_BODY_STATUS.has(status))
      throw new TypeError(`a response with status ${status} has no body`)
    this.#status = status
    this.#statusText = init?.statusText === undefined ? '' : String(init.statusText)
    this.#headers = new Headers(init?.headers)
    if (type !== undefined && !this.#headers.has('content-type')) this.#headers.set('content-type', type)
  }

  get status() {
    return this.#status
  }
  get ok() {
    return this.#status >= 200 && this.#status <= 299
  }
  get statusText() {
    return this.#statusText
  }
  get headers() {
    return this.#headers
  }
  get type() {
    return this.#type
  }
  get url() {
    return ''
  }
  get redirected() {
    return false
  }
  get [Symbol.toStringTag]() {
    return 'Response'
  }

  clone() {
    const { status, statusText } = this
    const { whole, stream } = Body.copy(this) ?? {}
    return new Response(whole ?? stream ?? null, { status, statusText, headers: this.#headers })
  }
}

function hasHeader(init, name) {
  return init?.headers !== undefined && new Headers(init.headers).has(name)
}

class Request extends Body {
  /** Of a call: method, target, origin, headers, signal. */
  #call
  /** Node's, where the user made the request. */
  #native
  #url
  #headers

  static [Symbol.hasInstance](value) {
    return isInstance(this, Request, 'Request', value)
  }

  static native(request) {
    return request.#toNative()
  }

  constructor(input, init) {
    if (input === INTERNAL) {
      super(init.source)
      this.#call = init.call
      return
    }
    const NativeRequest = native('Request')
    const made = new NativeRequest(toNative(input), init)
    super(made.body === null ? null : { stream: made.body })
    this.#native = made
  }

  get method() {
    return this.#call?.method ?? this.#native.method
  }
  get url() {
    this.#url ??= this.#native?.url ?? new URL(this.#call.origin + this.#call.target).href
    return this.#url
  }
  get headers() {
    this.#headers ??=
      this.#native === undefined ? trustedHeaders(this.#call.headers) : new Headers(this.#native.headers)
    return this.#headers
  }
  get signal() {
    return this.#native?.signal ?? this.#call.signal
  }
  get cache() {
    return this.#native?.cache ?? 'default'
  }
  get credentials() {
    return this.#native?.credentials ?? 'same-origin'
  }
  get destination() {
    return this.#native?.destination ?? ''
  }
  get duplex() {
    return 'half'
  }
  get integrity() {
    return this.#native?.integrity ?? ''
  }
  get isHistoryNavigation() {
    return false
  }
  get isReloadNavigation() {
    return false
  }
  get keepalive() {
    return this.#native?.keepalive ?? false
  }
  get mode() {
    return this.#native?.mode ?? 'cors'
  }
  get redirect() {
    return this.#native?.redirect ?? 'follow'
  }
  get referrer() {
    return this.#native?.referrer ?? 'about:client'
  }
  get referrerPolicy() {
    return this.#native?.referrerPolicy ?? ''
  }
  get [Symbol.toStringTag]() {
    return 'Request'
  }

  clone() {
    const { method, url, signal } = this
    const { origin } = new URL(url)
    const call = { method, origin, target: url.slice(origin.length), headers: headerPairs(this.headers), signal }
    return new Request(INTERNAL, { call, source: Body.copy(this) })
  }

  #toNative() {
    const { method, url, headers, signal } = this
    const body = method === 'GET' || method === 'HEAD' ? null : this.body
    const NativeRequest = native('Request')
    return new NativeRequest(url, { method, headers, signal, body, duplex: 'half', redirect: this.redirect })
  }
}

/** Ours or Node's; for a class that extends ours, the ordinary answer. */
function isInstance(asked, ours, name, value) {
  if (Function.prototype[Symbol.hasInstance].call(asked, value)) return true
  return asked === ours && isNative(name, value)
}

function toNative(input) {
  return Function.prototype[Symbol.hasInstance].call(Request, input) ? Request.native(input) : input
}

/** The request of a call, as its fetch handler sees it. */
function requestOf(call) {
  return new Request(INTERNAL, { call, source: call.body })
}

/** What a fetch handler returned, ready to be sent; its body counts as read. */
function readResponse(response) {
  const ours = Function.prototype[Symbol.hasInstance].call(Response, response)
  if (!ours && !isNative('Response', response)) {
    throw new TypeError(`a fetch handler returns a Response: received ${describe(response)}`)
  }
  if (response.type === 'error') throw new TypeError('Response.error() cannot be sent')
  if (ours) {
    const { whole, stream } = Body.take(response) ?? {}
    return { status: response.status, headers: headerPairs(response.headers), body: whole ?? stream ?? NOTHING }
  }
  if (response.bodyUsed) throw new TypeError('the body of the Response has been read already')
  return { status: response.status, headers: [...response.headers], body: response.body ?? NOTHING }
}

function describe(value) {
  if (value === null) return 'null'
  return typeof value === 'object' ? `an object of ${value.constructor?.name ?? 'no class'}` : typeof value
}

function fetch(input, init) {
  return native('fetch')(toNative(input), init)
}

function installWeb() {
  for (const [name, value] of Object.entries({ Request, Response, Headers, fetch })) {
    Object.defineProperty(globalThis, name, { value, configurable: true, writable: true, enumerable: false })
  }
  Object.defineProperty(Headers, Symbol.hasInstance, {
    value(value) {
      return isInstance(this, Headers, 'Headers', value)
    },
  })
}

module.exports = { installWeb, requestOf, readResponse, Response, describe }
