// wasi:http/types: requests and responses. What they are made of is in http-fields.ts and http-bodies.ts.
import { type Destination, IncomingBody, OutgoingBody } from './http-bodies.ts'
import { Fields } from './http-fields.ts'
import type { Source } from './io.ts'

export type Method = { readonly tag: string; readonly val?: string }
export type Scheme = { readonly tag: 'HTTP' | 'HTTPS' | 'other'; readonly val?: string }

const METHODS = ['get', 'head', 'post', 'put', 'delete', 'connect', 'options', 'trace', 'patch']

export function methodName(method: Method): string {
  return method.tag === 'other' ? (method.val ?? '') : method.tag.toUpperCase()
}

export interface ReceivedRequest {
  readonly method: string
  /** Path and query. */
  readonly target: string
  readonly origin: string
  readonly headers: readonly (readonly [string, string])[]
  readonly body: Source
}

export class IncomingRequest {
  readonly #request: ReceivedRequest
  #consumed = false

  constructor(request: ReceivedRequest) {
    this.#request = request
  }

  method(): Method {
    const { method } = this.#request
    const tag = method.toLowerCase()
    return METHODS.includes(tag) ? { tag } : { tag: 'other', val: method }
  }

  pathWithQuery(): string {
    return this.#request.target
  }

  scheme(): Scheme {
    return { tag: this.#request.origin.startsWith('https:') ? 'HTTPS' : 'HTTP' }
  }

  authority(): string {
    return this.#request.origin.replace(/^https?:\/\//, '')
  }

  headers(): Fields {
    return Fields.received(this.#request.headers)
  }

  consume(): IncomingBody {
    // oxlint-disable-next-line no-throw-literal, typescript/only-throw-error -- the error of this result is empty
    if (this.#consumed) throw undefined
    this.#consumed = true
    return new IncomingBody(this.#request.body)
  }
}

export class IncomingResponse {
  readonly #status: number
  readonly #headers: readonly (readonly [string, string])[]
  readonly #body: Source

  constructor(status: number, headers: readonly (readonly [string, string])[], body: Source) {
    this.#status = status
    this.#headers = headers
    this.#body = body
  }

  status(): number {
    return this.#status
  }

  headers(): Fields {
    return Fields.received(this.#headers)
  }

  consume(): IncomingBody {
    return new IncomingBody(this.#body)
  }
}

/** What outgoing requests and responses have in common: headers, and a body that is asked for once. */
class OutgoingMessage {
  readonly #headers: Fields
  readonly #body = new OutgoingBody()
  #bodyTaken = false

  constructor(headers: Fields) {
    this.#headers = headers
  }

  headers(): Fields {
    return this.#headers
  }

  body(): OutgoingBody {
    // oxlint-disable-next-line no-throw-literal, typescript/only-throw-error -- the error of this result is empty
    if (this.#bodyTaken) throw undefined
    this.#bodyTaken = true
    return this.#body
  }

  /** A body that nobody has asked for is empty, and over. */
  sendBodyTo(destination: Destination): void {
    if (!this.#bodyTaken) OutgoingBody.finish(this.#body)
    this.#body.sendTo(destination)
  }
}

export class OutgoingResponse extends OutgoingMessage {
  #status = 200

  statusCode(): number {
    return this.#status
  }

  setStatusCode(status: number): void {
    this.#status = status
  }
}

export class OutgoingRequest extends OutgoingMessage {
  #method: Method = { tag: 'get' }
  #path: string | undefined
  #scheme: Scheme | undefined
  #authority: string | undefined

  method(): Method {
    return this.#method
  }

  setMethod(method: Method): void {
    this.#method = method
  }

  pathWithQuery(): string | undefined {
    return this.#path
  }

  setPathWithQuery(path: string | undefined): void {
    this.#path = path
  }

  scheme(): Scheme | undefined {
    return this.#scheme
  }

  setScheme(scheme: Scheme | undefined): void {
    this.#scheme = scheme
  }

  authority(): string | undefined {
    return this.#authority
  }

  setAuthority(authority: string | undefined): void {
    this.#authority = authority
  }

  url(): string {
    const scheme = this.#scheme?.tag === 'other' ? this.#scheme.val : (this.#scheme?.tag ?? 'HTTPS').toLowerCase()
    return `${scheme}://${this.#authority ?? ''}${this.#path ?? '/'}`
  }
}

/** The time limits of the call hold, and those of the egress. */
export class RequestOptions {
  connectTimeout(): undefined {}
  setConnectTimeout(): void {}
  firstByteTimeout(): undefined {}
  setFirstByteTimeout(): void {}
  betweenBytesTimeout(): undefined {}
  setBetweenBytesTimeout(): void {}
}

type ResponseResult =
  | { readonly tag: 'ok'; readonly val: OutgoingResponse }
  | { readonly tag: 'err'; readonly val: { readonly tag: string; readonly val?: unknown } }

export class ResponseOutparam {
  readonly #onSet: (result: ResponseResult) => void

  constructor(onSet: (result: ResponseResult) => void) {
    this.#onSet = onSet
  }

  static set(param: ResponseOutparam, result: ResponseResult): void {
    param.#onSet(result)
  }
}
