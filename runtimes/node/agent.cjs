'use strict'
// Runs one function version in a container, for the invoker at the other end of the socket. START HERE; the protocol is
// in core/frames.ts. Knows nothing of pools, deadlines or limits: the invoker kills what does not end.
const fs = require('node:fs')
const net = require('node:net')

const { describeError, failureOf } = require('./call.cjs')
const { currentCall, captureOutput, STDERR } = require('./output.cjs')
const { Rehearsal } = require('./rehearsal.cjs')
const { Server } = require('./serve.cjs')
const { installWeb } = require('./web.cjs')
const { TYPE, PROTOCOL } = require('./wire.cjs')

const SOCKET_PATH = '/run/hearth/agent.sock'

const rehearsal = new Rehearsal()
const socket = net.connect(SOCKET_PATH)
const { wire, calls, outside } = new Server(socket, () => rehearsal.stop())
captureOutput(outside)

socket.on('connect', () => {
  wire.send(TYPE.ready, 0, JSON.stringify({ protocol: PROTOCOL, runtime: `node ${process.versions.node}` }))
  wire.flush()
  rehearsal.startWhenIdle()
})
// Without its invoker a sandbox has nothing to live for.
socket.on('error', () => process.exit(0))
socket.on('close', () => process.exit(0))
process.on('uncaughtException', onUncaught)
process.on('exit', () => {
  outside.close()
  for (const call of calls.values()) call.lines.close()
  wire.flushNow()
})
installWeb()

/** As Node would: say it and end with code 1; but first that it ends, so that no call comes, and what became of the call at fault. */
function onUncaught(error) {
  // The user's own handlers decide then.
  if (process.listenerCount('uncaughtException') > 1) return
  const text = `Uncaught ${describeError(error)}`
  const call = currentCall.getStore() ?? (calls.size === 1 ? calls.values()[0] : undefined)
  const lines = call?.lines ?? outside
  lines.line(STDERR, text)
  wire.send(TYPE.failure, 0, JSON.stringify(failureOf(error)))
  call?.abandon(error)
  try {
    fs.writeSync(2, `${text}\n`)
  } catch {
    // Nobody reads it.
  }
  process.exit(1)
}
