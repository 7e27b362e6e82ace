'use strict'
// One end of the frames (core/frames.ts): takes code, then calls. The agent has one; its rehearsal has others.
const { Call } = require('./call.cjs')
const { Calls } = require('./calls.cjs')
const { hasCompiled, keepCompiled, compiledPack } = require('./compiled.cjs')
const { contextOf, eventOf, readAnswer } = require('./event.cjs')
const { findEntry, importFunction, failedLoad } = require('./load.cjs')
const { currentCall, Lines } = require('./output.cjs')
const { Unpacker } = require('./pack.cjs')
const { readResponse, requestOf } = require('./web.cjs')
const { Wire, TYPE, FLAG, TYPE_MASK, CHUNK_BYTES } = require('./wire.cjs')

/** What a function sees of the container's own environment. */
const KEPT_ENV = ['PATH', 'HOME', 'LANG', 'NODE_ENV']

class Server {
  wire
  calls = new Calls()
  /** Output outside of calls. */
  outside
  /** What loading left: how to answer a call. */
  #answer
  #loading
  #beforeLoad

  /** @param beforeLoad called when code arrives; loading waits for what it gives */
  constructor(socket, beforeLoad) {
    this.wire = new Wire(socket, (kind, number, payload) => this.#onFrame(kind, number, payload))
    this.outside = new Lines(this.wire, 0)
    this.#beforeLoad = beforeLoad
  }

  #onFrame(kind, number, payload) {
    const end = (kind & FLAG.end) !== 0
    switch (kind & TYPE_MASK) {
      case TYPE.invoke:
        this.#onInvoke(number, payload, end)
        break
      case TYPE.body:
        if (number === 0) this.#onCode(payload, end)
        else this.calls.get(number)?.receiveBody(payload, end)
        break
      case TYPE.window:
        this.calls.get(number)?.receiveWindow(payload.readUInt32LE(0))
        break
      case TYPE.cancel:
        this.#onCancel(number)
        break
      case TYPE.ping:
        this.wire.send(TYPE.pong, 0)
        break
      case TYPE.load:
        this.#onLoad(split(payload).head, end)
    }
  }

  #onInvoke(number, payload, whole) {
    const { head, bytes } = split(payload)
    const call = new Call(this, number, { head, bytes, whole })
    this.calls.add(call)
    currentCall.run(call, this.#answer, call)
  }

  /** What the user's code does about it is a part of the call. */
  #onCancel(number) {
    const call = this.calls.get(number)
    if (call !== undefined) currentCall.run(call, () => call.cancel())
  }

  #onLoad(head, end) {
    this.#loading = { head, unpacker: new Unpacker(), error: undefined, prepared: this.#beforeLoad() }
    if (end) this.#onCode(Buffer.alloc(4), true)
  }

  #onCode(bytes, end) {
    const loading = this.#loading
    try {
      loading.unpacker.push(bytes)
      if (end) loading.unpacker.end()
    } catch (error) {
      loading.error ??= error
    }
    if (end) void this.#load(loading).then((result) => this.#onLoaded(result, loading.head.compiles))
  }

  #onLoaded(result, compiles) {
    this.wire.send(TYPE.loaded, 0, JSON.stringify(result))
    if (!compiles || !result.loaded) return
    const pack = compiledPack()
    for (let offset = 0; offset < pack.length; offset += CHUNK_BYTES) {
      const last = offset + CHUNK_BYTES >= pack.length
      this.wire.send(last ? TYPE.body | FLAG.end : TYPE.body, 0, pack.subarray(offset, offset + CHUNK_BYTES))
    }
  }

  async #load({ head, error, prepared }) {
    this.#loading = undefined
    let entry
    try {
      if (prepared !== undefined) await prepared
      if (error !== undefined) throw error
      setEnvironment(head)
      if (head.compiles || hasCompiled()) keepCompiled()
      entry = findEntry(head.handler)
      const { style, handler } = await importFunction(entry)
      this.#answer = style === 'fetch' ? fetchAnswer(handler, head) : eventAnswer(handler, head)
      this.outside.close()
      return { loaded: true }
    } catch (thrown) {
      this.outside.close()
      return failedLoad(thrown, entry?.file)
    }
  }
}

function split(payload) {
  const size = payload.readUInt32LE(0)
  return { head: JSON.parse(payload.utf8Slice(4, 4 + size)), bytes: payload.subarray(4 + size) }
}

function setEnvironment({ env, function: functionName, version }) {
  for (const name of Object.keys(process.env)) if (!KEPT_ENV.includes(name)) delete process.env[name]
  Object.assign(process.env, env, { HEARTH_FUNCTION: functionName, HEARTH_VERSION: String(version) })
  try {
    process.chdir('/fn')
  } catch {
    // Only where there is no such folder: relative paths then start at /tmp.
  }
}

function fetchAnswer(handler, { env }) {
  const shared = Object.freeze({ ...env })
  return (call) => {
    try {
      const result = handler(requestOf(call), shared, { waitUntil: (promise) => call.waitUntil(promise) })
      if (typeof result?.then === 'function') {
        result.then(
          (response) => settle(call, readResponse, response),
          (error) => call.fail(error),
        )
      } else {
        call.respond(readResponse(result))
      }
    } catch (error) {
      call.fail(error)
    }
  }
}

function eventAnswer(handler, head) {
  return async (call) => {
    try {
      const result = await handler(await eventOf(call), contextOf(call, head))
      settle(call, readAnswer, result)
    } catch (error) {
      call.fail(error)
    }
  }
}

function settle(call, read, result) {
  try {
    call.respond(read(result))
  } catch (error) {
    call.fail(error)
  }
}

module.exports = { Server }
