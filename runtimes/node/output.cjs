'use strict'
// Gives everything that is written to stdout, stderr and console to the call that wrote it, as log frames.
const { AsyncLocalStorage } = require('node:async_hooks')
const { Console } = require('node:console')
const { Writable } = require('node:stream')

const { TYPE } = require('./wire.cjs')

/** Longer texts are cut into several lines. */
const LINE_BYTES = 65_536
/** The invoker keeps no more of a call's output (MAX_LOG_BYTES): what comes after is not worth sending. */
const MOST_BYTES = 1_048_576
const HEAD_BYTES = 9
const STDOUT = 1
const STDERR = 2

/** Which call the running code belongs to; undefined outside of one. */
const currentCall = new AsyncLocalStorage()

/** What one call, or the process outside of calls, has written without a line end yet. */
class Lines {
  #wire
  #call
  #open = ['', '', '']
  #sent = 0

  constructor(wire, call) {
    this.#wire = wire
    this.#call = call
  }

  /** Text as it was written, line ends included. */
  write(stream, text) {
    const lines = (this.#open[stream] + text).split('\n')
    this.#open[stream] = lines.pop()
    for (const line of lines) this.line(stream, line.endsWith('\r') ? line.slice(0, -1) : line)
    if (this.#open[stream].length > LINE_BYTES) this.close()
  }

  /** One log line, whatever is in it. */
  line(stream, text) {
    const at = Date.now()
    for (let offset = 0; offset === 0 || offset < text.length; offset += LINE_BYTES) {
      if (this.#sent > MOST_BYTES && this.#call !== 0) return
      const piece = text.length <= LINE_BYTES ? text : text.slice(offset, offset + LINE_BYTES)
      const size = HEAD_BYTES + Buffer.byteLength(piece)
      this.#sent += size
      const payload = Buffer.allocUnsafe(size)
      payload.writeDoubleLE(at)
      payload[8] = stream
      payload.utf8Write(piece, HEAD_BYTES)
      this.#send(payload)
    }
  }

  /** The output of a call at once: what comes just before it spins or takes all memory is what explains it. */
  #send(payload) {
    if (this.#call === 0) this.#wire.send(TYPE.log, 0, payload)
    else this.#wire.sendNow(TYPE.log, this.#call, payload)
  }

  /** Sends what has no line end. */
  close() {
    for (const stream of [STDOUT, STDERR]) {
      const text = this.#open[stream]
      this.#open[stream] = ''
      if (text !== '') this.line(stream, text)
    }
  }
}

/** Puts our streams in the place of the process's own. `outside` takes what is written outside of a call. */
function captureOutput(outside) {
  const lines = () => currentCall.getStore()?.lines ?? outside
  replaceStream('stdout', STDOUT, (text) => lines().write(STDOUT, text))
  replaceStream('stderr', STDERR, (text) => lines().write(STDERR, text))
  // A console call is one log line, a multi-line stack too, so it must not pass through the line splitting.
  const single = (stream) => textStream((text) => lines().line(stream, text.endsWith('\n') ? text.slice(0, -1) : text))
  const captured = new Console({ stdout: single(STDOUT), stderr: single(STDERR) })
  for (const name of Object.keys(captured)) {
    if (typeof captured[name] === 'function') console[name] = captured[name]
  }
}

function replaceStream(name, fd, onText) {
  const stream = Object.assign(textStream(onText), { fd, _isStdio: true })
  Object.defineProperty(process, name, { configurable: true, enumerable: true, get: () => stream })
}

function textStream(onText) {
  return new Writable({
    decodeStrings: false,
    write(chunk, _encoding, done) {
      onText(typeof chunk === 'string' ? chunk : chunk.toString('utf8'))
      done()
    },
  })
}

module.exports = { currentCall, Lines, captureOutput, STDERR }
