'use strict'
// Request with the interface of the Fetch standard, in the place of Node's. That of a call is made of what came in;
// nothing of it is parsed before somebody asks.
const { Body, extract } = require('./body.cjs')
const { Headers, trustedHeaders, headerPairs } = require('./headers.cjs')

const METHOD = /^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/
const FORBIDDEN_METHODS = ['CONNECT', 'TRACE', 'TRACK']
const NORMALIZED_METHODS = ['DELETE', 'GET', 'HEAD', 'OPTIONS', 'POST', 'PUT']
/** Fields that are only kept, with their default and what else they may be. */
const FIELDS = {
  cache: ['default', 'no-store', 'reload', 'no-cache', 'force-cache', 'only-if-cached'],
  credentials: ['same-origin', 'omit', 'include'],
  mode: ['cors', 'same-origin', 'no-cors'],
  redirect: ['follow', 'error', 'manual'],
  referrerPolicy: [
    '',
    'no-referrer',
    'no-referrer-when-downgrade',
    'same-origin',
    'origin',
    'strict-origin',
    'origin-when-cross-origin',
    'strict-origin-when-cross-origin',
    'unsafe-url',
  ],
}
/** The first argument of a constructor call from this file. */
const INTERNAL = Symbol('internal')
const DEFAULTS = {
  integrity: '',
  keepalive: false,
  ...Object.fromEntries(Object.entries(FIELDS).map(([name, [first]]) => [name, first])),
}

class Request extends Body {
  /** `{ method, target, origin, headers, signal }` of a call, or `{ method, url, headers, signal, fields }`. */
  #of
  #url
  #headers

  constructor(input, init) {
    if (input === INTERNAL) {
      super(init.source)
      this.#of = init.of
      return
    }
    const of = readInit(input, init ?? {})
    const { source, type } = bodyFor(input, init ?? {}, of.method)
    super(source)
    this.#of = of
    this.#url = of.url
    this.#headers = of.headers
    if (type !== undefined && !this.#headers.has('content-type')) this.#headers.set('content-type', type)
  }

  get method() {
    return this.#of.method
  }
  get url() {
    this.#url ??= new URL(this.#of.origin + this.#of.target).href
    return this.#url
  }
  get headers() {
    this.#headers ??= trustedHeaders(this.#of.headers)
    return this.#headers
  }
  get signal() {
    return this.#of.signal
  }
  get cache() {
    return this.#fields.cache
  }
  get credentials() {
    return this.#fields.credentials
  }
  get destination() {
    return ''
  }
  get duplex() {
    return 'half'
  }
  get integrity() {
    return this.#fields.integrity
  }
  get isHistoryNavigation() {
    return false
  }
  get isReloadNavigation() {
    return false
  }
  get keepalive() {
    return this.#fields.keepalive
  }
  get mode() {
    return this.#fields.mode
  }
  get redirect() {
    return this.#fields.redirect
  }
  get referrer() {
    return 'about:client'
  }
  get referrerPolicy() {
    return this.#fields.referrerPolicy
  }
  get [Symbol.toStringTag]() {
    return 'Request'
  }

  clone() {
    const source = Body.copy(this)
    const { method, url, signal } = this
    const copy = new Request(INTERNAL, { source, of: { method, signal, fields: this.#fields } })
    copy.#url = url
    copy.#headers = new Headers(this.headers)
    return copy
  }

  get #fields() {
    return this.#of.fields ?? DEFAULTS
  }
}

function isRequest(value) {
  return value instanceof Request
}

/** The request of a call, as its fetch handler sees it. */
function requestOf(call) {
  return new Request(INTERNAL, { of: call, source: call.body })
}

function readInit(input, init) {
  const from = isRequest(input) ? input : undefined
  const fields = { ...DEFAULTS }
  for (const name of Object.keys(fields)) fields[name] = readField(name, init[name] ?? from?.[name] ?? fields[name])
  return {
    url: from === undefined ? readUrl(input) : from.url,
    method: init.method === undefined ? (from?.method ?? 'GET') : readMethod(String(init.method)),
    headers: new Headers(init.headers ?? (from === undefined ? undefined : headerPairs(from.headers))),
    signal: readSignal(init.signal === undefined ? from?.signal : init.signal),
    fields,
  }
}

function readUrl(input) {
  const url = new URL(String(input))
  if (url.username !== '' || url.password !== '')
    throw new TypeError(`a request's URL must be without credentials: received ${url.href}`)
  return url.href
}

function readMethod(method) {
  const upper = method.toUpperCase()
  if (!METHOD.test(method) || FORBIDDEN_METHODS.includes(upper)) {
    throw new TypeError(
      `a method must be a token other than ${FORBIDDEN_METHODS.join(', ')}: received ${JSON.stringify(method)}`,
    )
  }
  return NORMALIZED_METHODS.includes(upper) ? upper : method
}

function readSignal(signal) {
  if (signal === undefined || signal === null) return new AbortController().signal
  if (signal instanceof AbortSignal) return AbortSignal.any([signal])
  throw new TypeError(`signal must be an AbortSignal: received ${typeof signal}`)
}

function readField(name, value) {
  if (name === 'keepalive') return Boolean(value)
  if (name === 'integrity') return String(value)
  if (FIELDS[name].includes(String(value))) return String(value)
  throw new TypeError(`${name} must be one of ${FIELDS[name].join(', ')}: received ${String(value)}`)
}

/** The body of `init`, or that of the request it is made from, which then counts as read. */
function bodyFor(input, init, method) {
  const given = init.body ?? null
  if (given !== null && (method === 'GET' || method === 'HEAD'))
    throw new TypeError(`a request with ${method} has no body`)
  if (given === null) return { source: isRequest(input) && input.body !== null ? Body.take(input) : null }
  const extracted = extract(given)
  if (extracted.source.stream !== undefined && given === extracted.source.stream && init.duplex !== 'half') {
    throw new TypeError("a request whose body is a stream must have duplex: 'half'")
  }
  return extracted
}

module.exports = { Request, isRequest, requestOf }
