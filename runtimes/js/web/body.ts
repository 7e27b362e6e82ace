// What requests and responses have in common: a body that is read once.
import { Blob, blobBytes, joined, streamOf } from './blob.ts'
import { bytesOf, decodeUtf8, encodeUtf8, type BufferSource } from './encoding.ts'
import { encodeMultipart, FormData, parseMultipart } from './form-data.ts'
import { addDefault, type Headers, pairsOf, trustedHeaders } from './headers.ts'
import { isUntouched, ReadableStream } from './readable-stream.ts'
import { parseForm, URLSearchParams } from './url-search-params.ts'

export type BodyInit =
  | string
  | BufferSource
  | Blob
  | FormData
  | URLSearchParams
  | ReadableStream<Uint8Array>
  | AsyncIterable<Uint8Array>
  | null

type Pairs = readonly (readonly [string, string])[]
/** Text stays text until someone wants its bytes: a response is often given to the host as it is. */
type Source = string | Uint8Array | ReadableStream<Uint8Array> | null

interface Content {
  readonly source: Source
  readonly type?: string
}

const TEXT_TYPE = 'text/plain;charset=UTF-8'
/** The headers of most messages that somebody constructs. Shared: never changed in place. */
const TEXT_PAIRS: Pairs = [['content-type', TEXT_TYPE]]
const NO_PAIRS: Pairs = []

/** The body when it is in memory and unread, without making a stream of it; undefined when it is a stream. */
export let bodyInMemory: (message: Body) => Uint8Array | null | undefined
/** As `bodyInMemory`, but text as text. */
export let wholeBody: (message: Body) => string | Uint8Array | null | undefined
/** The same body for a second message; both read it independently. */
export let cloneBody: (message: Body) => Uint8Array | ReadableStream<Uint8Array> | null

/** The body moves to another message: this one counts as read. */
export let takeBody: (message: Body) => Uint8Array | ReadableStream<Uint8Array> | null

/** What iterating the headers gives, without making them. */
export let headerPairs: (message: Body) => Pairs
/** The message, whose only header is its type from now on; nobody has looked at them yet. */
export let typed: <T extends Body>(message: T, type: string) => T
/** In place of those that it has. */
export let setHeaders: (message: Body, headers: Headers) => void

/**
 * What streams that were made of bytes have in them: middleware often passes `response.body` on to a new Response,
 * which need not make a stream of it.
 */
const wholes = new WeakMap<ReadableStream<Uint8Array>, Uint8Array>()

export class Body {
  static {
    takeBody = (message) => {
      if (message.#used || message.#stream?.locked === true) throw new TypeError('the body has been used already')
      message.#used = message.#source !== null
      return message.#bytesOrStream()
    }
    wholeBody = (message) => {
      const source = message.#source
      if (typeof source === 'string' || !(source instanceof ReadableStream)) return source
      return isUntouched(source) ? wholes.get(source) : undefined
    }
    bodyInMemory = (message) => {
      const whole = wholeBody(message)
      return typeof whole === 'string' ? encodeUtf8(whole) : whole
    }
    cloneBody = (message) => {
      if (message.#used || message.#stream?.locked === true) throw new TypeError('the body has been used already')
      const source = message.#bytesOrStream()
      if (!(source instanceof ReadableStream)) return source
      const [own, other] = source.tee()
      message.#source = own
      return other
    }
    headerPairs = (message) => (message.#headers === undefined ? message.#pairs : pairsOf(message.#headers))
    typed = (message, type) => {
      message.#pairs = [['content-type', type]]
      return message
    }
    setHeaders = (message, headers) => {
      message.#headers = headers
    }
  }

  /** Of `#headers`, while nobody has looked at them. */
  #pairs: Pairs
  readonly #fromHost: boolean = false
  #headers: Headers | undefined
  #source: Source
  #used = false
  /** Made when someone asks for it. */
  #stream: ReadableStream<Uint8Array> | undefined

  /** @param headers pairs are those of the host, which never change; the body is the host's then, too */
  constructor(init: BodyInit | undefined, headers?: Headers | Pairs) {
    if (isPairs(headers)) {
      this.#source = init as Uint8Array | null
      this.#pairs = headers
      this.#fromHost = true
      return
    }
    const { source, type } = typeof init === 'string' ? { source: init, type: TEXT_TYPE } : contentOf(init ?? null)
    this.#source = source
    this.#pairs = type === TEXT_TYPE ? TEXT_PAIRS : type === undefined ? NO_PAIRS : [['content-type', type]]
    this.#headers = headers
    if (headers !== undefined && type !== undefined) addDefault(headers, 'content-type', type)
  }

  get headers(): Headers {
    return (this.#headers ??= trustedHeaders([...this.#pairs], this.#fromHost))
  }

  get body(): ReadableStream<Uint8Array> | null {
    if (this.#source === null) return null
    const source = this.#bytesOrStream() as Uint8Array | ReadableStream<Uint8Array>
    if (source instanceof ReadableStream) return (this.#stream = source)
    const bytes = this.#used ? new Uint8Array() : source
    this.#source = this.#stream = streamOf(bytes)
    wholes.set(this.#stream, bytes)
    return this.#stream
  }

  get bodyUsed(): boolean {
    return this.#used
  }

  async bytes(): Promise<Uint8Array> {
    return (await this.#consume()).slice()
  }

  async arrayBuffer(): Promise<ArrayBufferLike> {
    return (await this.#consume()).slice().buffer
  }

  async text(): Promise<string> {
    return decodeUtf8(withoutBom(await this.#consume()))
  }

  async json(): Promise<unknown> {
    return JSON.parse(await this.text())
  }

  async blob(): Promise<Blob> {
    const type = this.headers.get('content-type') ?? ''
    return new Blob([await this.#consume()], { type })
  }

  async formData(): Promise<FormData> {
    const type = this.headers.get('content-type') ?? ''
    const boundary = /^multipart\/form-data\s*;.*?boundary=(?:"([^"]+)"|([^;\s]+))/i.exec(type)
    if (boundary !== null) return parseMultipart(await this.#consume(), (boundary[1] ?? boundary[2]) as string)
    if (!/^application\/x-www-form-urlencoded(?:;|$)/i.test(type)) {
      throw new TypeError(`formData() expects a body of a form: received content-type ${JSON.stringify(type)}`)
    }
    const form = new FormData()
    for (const [name, value] of parseForm(await this.text())) form.append(name, value)
    return form
  }

  async #consume(): Promise<Uint8Array> {
    if (this.#used || this.#stream?.locked === true) throw new TypeError('the body has been used already')
    if (this.#source === null) return new Uint8Array()
    this.#used = true
    const source = this.#bytesOrStream() as Uint8Array | ReadableStream<Uint8Array>
    return source instanceof Uint8Array ? source : collect(source)
  }

  #bytesOrStream(): Uint8Array | ReadableStream<Uint8Array> | null {
    if (typeof this.#source === 'string') this.#source = encodeUtf8(this.#source)
    return this.#source
  }
}

function isPairs(headers: Headers | Pairs | undefined): headers is Pairs {
  return Array.isArray(headers)
}

async function collect(stream: ReadableStream<Uint8Array>): Promise<Uint8Array> {
  const chunks: Uint8Array[] = []
  for await (const chunk of stream) chunks.push(checkedChunk(chunk))
  return joined(chunks)
}

/** @throws TypeError when a stream gives anything else than bytes */
export function checkedChunk(chunk: unknown): Uint8Array {
  if (chunk instanceof Uint8Array) return chunk
  if (chunk instanceof ArrayBuffer || ArrayBuffer.isView(chunk)) return bytesOf(chunk)
  throw new TypeError(`a body's stream must give Uint8Array chunks: received ${typeof chunk}`)
}

function contentOf(init: BodyInit): Content {
  if (init === null) return { source: null }
  if (typeof init === 'string') return { source: init, type: TEXT_TYPE }
  if (init instanceof ReadableStream) return { source: init }
  // The host's bytes and ours are never changed in place, so only foreign buffers are copied.
  if (init instanceof ArrayBuffer || ArrayBuffer.isView(init)) return { source: bytesOf(init).slice() }
  if (init instanceof URLSearchParams) {
    return { source: encodeUtf8(String(init)), type: 'application/x-www-form-urlencoded;charset=UTF-8' }
  }
  if (init instanceof Blob) {
    return init.type === '' ? { source: blobBytes(init) } : { source: blobBytes(init), type: init.type }
  }
  if (init instanceof FormData) {
    const boundary = `----hearth${Math.random().toString(36).slice(2)}${Math.random().toString(36).slice(2)}`
    return { source: encodeMultipart(init, boundary), type: `multipart/form-data; boundary=${boundary}` }
  }
  if (Symbol.asyncIterator in init) return { source: ReadableStream.from(init) }
  return { source: String(init), type: TEXT_TYPE }
}

function withoutBom(bytes: Uint8Array): Uint8Array {
  return bytes[0] === 0xef && bytes[1] === 0xbb && bytes[2] === 0xbf ? bytes.subarray(3) : bytes
}
