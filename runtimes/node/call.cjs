'use strict'
// One call: its response goes out within the window, its end is announced once and after its log lines.
const { setTimeout } = require('node:timers')

const { IncomingBody } = require('./incoming.cjs')
const { Lines, STDERR } = require('./output.cjs')
const { TYPE, FLAG, INLINE_BYTES, WINDOW_BYTES, CHUNK_BYTES, NOTHING } = require('./wire.cjs')

/** Less than the invoker waits for code to stop (invoker/local-invoker.ts) before it ends the sandbox. */
const WIND_DOWN_MS = 100

class Call {
  /** Where its output goes. */
  lines
  /** Of the request: `{ whole }`, `{ incoming }` or null, as Body takes it. */
  body
  number
  #server
  #wire
  #head
  #incoming
  #controller
  #cancelled = false
  /** The response is complete, or there will be none. */
  #answered = false
  #failure
  #ended = false
  #pending = 0
  #window = WINDOW_BYTES
  #wake
  #reader

  /** @param server whose `calls` it leaves, and whose `outside` takes its output, once it is over */
  constructor(server, number, { head, bytes, whole }) {
    const { wire } = server
    this.#server = server
    this.#wire = wire
    this.number = number
    this.#head = head
    this.lines = new Lines(wire, number)
    if (whole) {
      this.body = bytes.length === 0 ? null : { whole: bytes }
    } else {
      this.#incoming = new IncomingBody(wire, number)
      this.#incoming.push(bytes, false, false)
      this.body = { incoming: this.#incoming }
    }
  }

  get id() {
    return this.#head.id
  }
  get method() {
    return this.#head.method
  }
  get target() {
    return this.#head.target
  }
  get origin() {
    return this.#head.origin
  }
  get headers() {
    return this.#head.headers
  }
  get attempt() {
    return this.#head.attempt
  }
  get deadline() {
    return this.#head.deadline
  }
  /** Made when it is asked for: most handlers never do. */
  get signal() {
    if (this.#controller === undefined) {
      this.#controller = new AbortController()
      if (this.#cancelled) this.#controller.abort(cancelled())
    }
    return this.#controller.signal
  }

  receiveBody(bytes, end) {
    this.#incoming?.push(bytes, end, true)
  }

  receiveWindow(bytes) {
    this.#window += bytes
    this.#wake?.()
  }

  cancel() {
    if (this.#cancelled || this.#ended) return
    this.#cancelled = true
    this.#controller?.abort(cancelled())
    this.#incoming?.break(cancelled())
    if (this.#reader !== undefined) this.#release(this.#reader)
    this.#wake?.()
  }

  /** Keeps the call open until the promise is settled. */
  waitUntil(promise) {
    this.#pending++
    Promise.resolve(promise)
      .catch((error) => this.lines.line(STDERR, `waitUntil: ${describeError(error)}`))
      .finally(() => {
        this.#pending--
        if (this.#answered) this.#end()
      })
  }

  /** @param body text, bytes or a ReadableStream of bytes */
  respond({ status, headers, body: given }) {
    if (this.#answered) return
    // Short text goes into a frame as it is.
    const body = typeof given === 'string' && given.length > INLINE_BYTES / 4 ? Buffer.from(given) : given
    const head = JSON.stringify({ status, headers })
    if (this.#head.method === 'HEAD' || this.#cancelled) {
      if (typeof body.cancel === 'function') this.#release(body)
      this.#finish(TYPE.head, NOTHING, head)
    } else if (body.length <= INLINE_BYTES) {
      this.#finish(TYPE.head, body, head)
    } else {
      this.#send(TYPE.head, NOTHING, head)
      const sent = body instanceof ReadableStream ? this.#pipe(body) : this.#sendChunk(body)
      sent.then(
        () => this.#finish(TYPE.body, NOTHING),
        (error) => this.fail(error),
      )
    }
  }

  /** What the user's code threw; the process may go on. */
  fail(error) {
    if (this.#answered) return
    this.#failure = failureOf(error)
    this.#answered = true
    this.#end()
  }

  /** As fail, but at once: the process is about to end. */
  abandon(error) {
    this.#pending = 0
    if (this.#answered) this.#end()
    else this.fail(error)
  }

  /** The last frame of the response; of the call too when nothing else is open. */
  #finish(type, body, head) {
    if (this.#answered) return
    this.#answered = true
    if (this.#pending === 0) this.#end(type, body, head)
    else this.#send(type | FLAG.end, body, head)
  }

  #end(type = TYPE.done, body = NOTHING, head) {
    if (this.#ended || this.#pending > 0) return
    this.#ended = true
    this.lines.close()
    this.lines = this.#server.outside
    if (this.#cancelled) this.#send(TYPE.done | FLAG.done | FLAG.cancelled)
    else if (this.#failure !== undefined) this.#send(TYPE.failure | FLAG.done, JSON.stringify(this.#failure))
    else this.#send(type | (type === TYPE.done ? FLAG.done : FLAG.end | FLAG.done), body, head)
    this.#server.calls.delete(this)
  }

  /**
   * How it winds down is a part of the call, but not for long: a generator may be in the middle of a wait.
   * @param source a stream that nobody wants, or its reader
   */
  #release(source) {
    const longest = new Promise((resolve) => setTimeout(resolve, WIND_DOWN_MS))
    this.waitUntil(Promise.race([source.cancel(cancelled()).catch(() => {}), longest]))
  }

  async #pipe(stream) {
    this.#reader = stream.getReader()
    for (;;) {
      const { done, value } = await this.#reader.read()
      if (done) return
      await this.#sendChunk(bytesOf(value))
    }
  }

  async #sendChunk(bytes) {
    for (let offset = 0; offset < bytes.length && !this.#cancelled;) {
      const size = Math.min(CHUNK_BYTES, this.#window, bytes.length - offset)
      if (size === 0) {
        await new Promise((resolve) => (this.#wake = resolve))
        this.#wake = undefined
        continue
      }
      this.#window -= size
      this.#send(TYPE.body, bytes.subarray(offset, offset + size))
      offset += size
      await this.#wire.drained()
    }
  }

  #send(kind, body, head) {
    this.#wire.send(kind, this.number, body, head)
  }
}

/** Streams must give bytes; text is let pass, as generators of text are common. */
function bytesOf(value) {
  if (value instanceof Uint8Array) return Buffer.from(value.buffer, value.byteOffset, value.byteLength)
  if (typeof value === 'string') return Buffer.from(value)
  throw new TypeError(`a response stream must give Uint8Array: received ${typeof value}`)
}

function cancelled() {
  return new DOMException('the call was cancelled', 'AbortError')
}

/** Anything thrown as FunctionFailure (core/outcome.ts). */
function failureOf(error) {
  if (!(error instanceof Error) && !(typeof error?.message === 'string')) {
    return { type: 'Error', message: `thrown: ${describeError(error)}` }
  }
  const type = error.constructor?.name || error.name || 'Error'
  return { type: String(type), message: String(error.message), stack: usersPart(describeError(error)) }
}

/** Without our own frames and those below them. */
function usersPart(stack) {
  const lines = stack.split('\n')
  const ours = lines.findIndex((line) => line.includes('/opt/hearth/'))
  return ours <= 0 ? stack : lines.slice(0, ours).join('\n')
}

function describeError(error) {
  try {
    return typeof error?.stack === 'string' ? error.stack : require('node:util').inspect(error)
  } catch {
    return 'a value that cannot be shown'
  }
}

module.exports = { Call, failureOf, describeError }
