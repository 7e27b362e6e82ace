'use strict'
// Runs one function version in a container, for the invoker at the other end of the socket. START HERE; the protocol is
// in core/frames.ts. Knows nothing of pools, deadlines or limits: the invoker kills what does not end.
const fs = require('node:fs')
const net = require('node:net')

const { Call, describeError } = require('./call.cjs')
const { contextOf, eventOf, readAnswer } = require('./event.cjs')
const { Unpacker, findEntry, importFunction, failedLoad } = require('./load.cjs')
const { currentCall, captureOutput, STDERR } = require('./output.cjs')
const { installWeb, readResponse, requestOf } = require('./web.cjs')
const { Wire, TYPE, FLAG, TYPE_MASK, PROTOCOL } = require('./wire.cjs')

const SOCKET_PATH = '/run/hearth/agent.sock'
/** What a function sees of the container's own environment. */
const KEPT_ENV = ['PATH', 'HOME', 'LANG', 'NODE_ENV']

const socket = net.connect(SOCKET_PATH)
const wire = new Wire(socket, onFrame)
const outside = captureOutput(wire)
const calls = new Map()
/** What loading left: how to answer a call. */
let answer
let loading

socket.on('connect', () => {
  wire.send(TYPE.ready, 0, JSON.stringify({ protocol: PROTOCOL, runtime: `node ${process.versions.node}` }))
  wire.flush()
})
// Without its invoker a sandbox has nothing to live for.
socket.on('error', () => process.exit(0))
socket.on('close', () => process.exit(0))
process.on('uncaughtException', onUncaught)
process.on('exit', () => {
  outside.close()
  for (const call of calls.values()) call.lines.close()
  wire.flush()
})
installWeb()

function onFrame(kind, number, payload) {
  const end = (kind & FLAG.end) !== 0
  switch (kind & TYPE_MASK) {
    case TYPE.invoke:
      onInvoke(number, payload, end)
      break
    case TYPE.body:
      if (number === 0) onCode(payload, end)
      else calls.get(number)?.receiveBody(payload, end)
      break
    case TYPE.window:
      calls.get(number)?.receiveWindow(payload.readUInt32LE(0))
      break
    case TYPE.cancel:
      calls.get(number)?.cancel()
      break
    case TYPE.ping:
      wire.send(TYPE.pong, 0)
      break
    case TYPE.load:
      loading = { head: split(payload).head, unpacker: new Unpacker(), error: undefined }
      if (end) onCode(Buffer.alloc(4), true)
  }
}

function split(payload) {
  const size = payload.readUInt32LE(0)
  return { head: JSON.parse(payload.utf8Slice(4, 4 + size)), bytes: payload.subarray(4 + size) }
}

function onInvoke(number, payload, whole) {
  const { head, bytes } = split(payload)
  const call = new Call({ wire, number, head, bytes, whole, outside, onEnd: () => calls.delete(number) })
  calls.set(number, call)
  currentCall.run(call, answer, call)
}

function onCode(bytes, end) {
  try {
    loading.unpacker.push(bytes)
    if (end) loading.unpacker.end()
  } catch (error) {
    loading.error ??= error
  }
  if (end) void load(loading).then((result) => wire.send(TYPE.loaded, 0, JSON.stringify(result)))
}

async function load({ head, error }) {
  loading = undefined
  let entry
  try {
    if (error !== undefined) throw error
    setEnvironment(head)
    entry = findEntry(head.handler)
    const { style, handler } = await importFunction(entry)
    answer = style === 'fetch' ? fetchAnswer(handler, head) : eventAnswer(handler, head)
    outside.close()
    return { loaded: true }
  } catch (thrown) {
    outside.close()
    return failedLoad(thrown, entry?.file)
  }
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

/** As Node would: say it and end with code 1; but the call that it belongs to is told first. */
function onUncaught(error) {
  // The user's own handlers decide then.
  if (process.listenerCount('uncaughtException') > 1) return
  const text = `Uncaught ${describeError(error)}`
  const call = currentCall.getStore() ?? (calls.size === 1 ? calls.values().next().value : undefined)
  const lines = call?.lines ?? outside
  lines.line(STDERR, text)
  call?.abandon(error)
  try {
    fs.writeSync(2, `${text}\n`)
  } catch {
    // Nobody reads it.
  }
  process.exit(1)
}
