'use strict'
// What Request and Response share: a body that is read at most once. While it is text or bytes no stream is made.
const { isDisturbed } = require('node:stream')

const { nativeClasses } = require('./native.cjs')
const { NOTHING } = require('./wire.cjs')

/** What a message's body is: `{ whole }` text or bytes, `{ stream }`, `{ incoming }`, or null. Read at most once. */
class Body {
  #source
  #used = false

  constructor(source) {
    this.#source = source
  }

  /** Undefined when there is none; else what is to be read, which counts as read from then on. */
  static take(message) {
    return message.#take()
  }

  static copy(message) {
    if (message.bodyUsed || message.body?.locked)
      throw new TypeError('the body has been read already: it cannot be cloned')
    if (message.#source === null || message.#source.whole !== undefined) return message.#source
    const [mine, theirs] = message.body.tee()
    message.#source = { stream: mine }
    return { stream: theirs }
  }

  get body() {
    if (this.#source === null) return null
    if (this.#source.stream === undefined) this.#source = { stream: streamOf(this.#source, this.#used) }
    return this.#source.stream
  }

  get bodyUsed() {
    return this.#used || (this.#source?.stream !== undefined && isDisturbed(this.#source.stream))
  }

  async bytes() {
    const bytes = await this.#read()
    return new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.length)
  }

  async arrayBuffer() {
    const { buffer, byteOffset, length } = await this.#read()
    return length === buffer.byteLength ? buffer : buffer.slice(byteOffset, byteOffset + length)
  }

  async text() {
    const whole = this.#source?.whole
    if (typeof whole === 'string') {
      this.#take()
      return whole.toWellFormed()
    }
    return decode(await this.#read())
  }

  async json() {
    return JSON.parse(await this.text())
  }

  textStream() {
    if (this.bodyUsed || this.body?.locked) throw new TypeError('the body has been read already')
    return (this.body ?? ReadableStream.from([])).pipeThrough(new TextDecoderStream())
  }

  async blob() {
    return new Blob([await this.#read()], { type: this.headers.get('content-type') ?? '' })
  }

  async formData() {
    const type = this.headers.get('content-type') ?? ''
    const [{ Response }, bytes] = await Promise.all([nativeClasses(), this.#read()])
    return new Response(bytes, { headers: { 'content-type': type } }).formData()
  }

  #take() {
    if (this.bodyUsed || this.#source?.stream?.locked) throw new TypeError('the body has been read already')
    if (this.#source === null) return undefined
    this.#used = true
    return this.#source
  }

  /** All of it, in memory that is the caller's. */
  async #read() {
    const source = this.#take()
    if (source === undefined) return Buffer.alloc(0)
    if (source.stream !== undefined) return collect(source.stream)
    if (source.incoming !== undefined) return source.incoming.collect(Number(this.headers.get('content-length')))
    return Buffer.from(source.whole)
  }
}

function decode(bytes) {
  const marked = bytes.length >= 3 && bytes[0] === 0xef && bytes[1] === 0xbb && bytes[2] === 0xbf
  return bytes.toString('utf8', marked ? 3 : 0)
}

async function collect(stream) {
  const chunks = []
  for await (const chunk of stream) {
    if (!(chunk instanceof Uint8Array))
      throw new TypeError(`a body must be made of Uint8Array: received ${typeof chunk}`)
    chunks.push(chunk)
  }
  return Buffer.concat(chunks)
}

function streamOf(source, read) {
  if (source.incoming !== undefined && !read) return source.incoming.stream()
  const bytes = read ? NOTHING : Buffer.from(source.whole)
  return new ReadableStream({
    type: 'bytes',
    start(controller) {
      if (bytes.length > 0) controller.enqueue(new Uint8Array(bytes))
      controller.close()
    },
  })
}

/** A body as it may be given to `new Response`, and the Content-Type that it implies. */
function extract(body) {
  if (body === null || body === undefined) return { source: null }
  if (typeof body === 'string') return { source: { whole: body }, type: 'text/plain;charset=UTF-8' }
  if (body instanceof ReadableStream) {
    if (body.locked || isDisturbed(body)) throw new TypeError('a body must not be locked or have been read')
    return { source: { stream: body } }
  }
  // A copy, for the caller may write to it afterwards.
  if (ArrayBuffer.isView(body)) {
    return { source: { whole: Buffer.from(new Uint8Array(body.buffer, body.byteOffset, body.byteLength)) } }
  }
  return extractRare(body)
}

function extractRare(body) {
  const tag = Object.prototype.toString.call(body)
  if (tag === '[object ArrayBuffer]' || tag === '[object SharedArrayBuffer]') {
    return { source: { whole: Buffer.from(new Uint8Array(body)) } }
  }
  if (body instanceof URLSearchParams) {
    return { source: { whole: String(body) }, type: 'application/x-www-form-urlencoded;charset=UTF-8' }
  }
  if (tag === '[object Blob]' || tag === '[object File]') {
    return { source: { stream: body.stream() }, type: body.type || undefined }
  }
  if (tag === '[object FormData]') return extract(multipart(body))
  if (typeof body[Symbol.asyncIterator] === 'function') return { source: { stream: ReadableStream.from(body) } }
  return extract(String(body))
}

/** A form as the Blob that is sent: multipart/form-data, RFC 7578. */
function multipart(form) {
  const boundary = `----hearth-${require('node:crypto').randomUUID()}`
  const parts = []
  for (const [name, value] of form) {
    const head = `--${boundary}\r\ncontent-disposition: form-data; name="${quoted(name)}"`
    if (typeof value === 'string') {
      parts.push(`${head}\r\n\r\n${value.replace(/\r?\n|\r/g, '\r\n')}\r\n`)
    } else {
      const type = value.type || 'application/octet-stream'
      parts.push(`${head}; filename="${quoted(value.name)}"\r\ncontent-type: ${type}\r\n\r\n`, value, '\r\n')
    }
  }
  return new Blob([...parts, `--${boundary}--\r\n`], { type: `multipart/form-data; boundary=${boundary}` })
}

function quoted(text) {
  return text.replace(/\r?\n|\r/g, '%0D%0A').replace(/"/g, '%22')
}

module.exports = { Body, extract }
