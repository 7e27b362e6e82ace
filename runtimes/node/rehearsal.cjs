'use strict'
// While no code has come: runs small functions through another Server, so that the engine has compiled and linked all
// that the first real load and call will use. Leaves nothing that a function could find.
const fs = require('node:fs')
const Module = require('node:module')
const path = require('node:path')

const { findEntry } = require('./load.cjs')
const { CODE_DIR, packOf } = require('./pack.cjs')
const { Server } = require('./serve.cjs')
const { Wire, TYPE, FLAG, TYPE_MASK } = require('./wire.cjs')

/** A sandbox that is made for a call gets its code at once. */
const IDLE_MS = 20
const ROUNDS = 3
/** Both kinds of modules and both styles of handlers. */
const PLAYS = [
  {
    extension: '.cjs',
    exported: 'handler',
    source: `exports.handler = async (event, context) => {
      console.log('a line', context.functionName)
      return { event, left: context.getRemainingTimeInMillis() }
    }`,
  },
  {
    extension: '.mjs',
    exported: 'default',
    source: `export default { async fetch(request, env, ctx) {
      console.error('a line')
      const { pathname } = new URL(request.url)
      if (request.headers.get('accept') === 'text/plain') return new Response(pathname)
      return Response.json({ pathname, body: await request.json() }, { headers: { 'x-a': 'b' } })
    } }`,
  },
]
const BODY = Buffer.from('{"a":1}')

class Rehearsal {
  #timer
  #running
  #stopped = false

  startWhenIdle() {
    this.#timer = setTimeout(() => (this.#running = this.#run()), IDLE_MS)
  }

  /** Resolves when it is over, which is soon; undefined when it already is. */
  stop() {
    this.#stopped = true
    clearTimeout(this.#timer)
    return this.#running
  }

  async #run() {
    try {
      // There is none: to look for it is what is rehearsed.
      findEntry('')
    } catch {}
    for (let round = 0; round < ROUNDS; round++) {
      for (const play of PLAYS) {
        if (this.#stopped) return
        await perform(play, `.rehearsal-${round}`)
      }
    }
    this.#running = undefined
  }
}

async function perform({ extension, exported, source }, name) {
  const file = name + extension
  const [near, far] = socketPair()
  const waiting = new Map()
  const server = new Server(far, () => undefined)
  const host = new Wire(near, (kind) => {
    const type = kind & TYPE_MASK
    const key = (kind & FLAG.done) === 0 ? type : TYPE.done
    waiting.get(key)?.()
  })
  const until = (type) => new Promise((resolve) => waiting.set(type, resolve))
  try {
    host.send(
      TYPE.load,
      0,
      undefined,
      JSON.stringify({ function: '', version: 0, handler: `${name}.${exported}`, env: {}, compiles: false }),
    )
    host.send(TYPE.body | FLAG.end, 0, packOf([[file, Buffer.from(source)]]))
    await until(TYPE.loaded)
    for (const call of [1, 2]) {
      const headers = call === 1 ? [['content-type', 'application/json']] : [['accept', 'text/plain']]
      const head = {
        id: '',
        method: 'POST',
        target: '/a?b=c',
        origin: 'http://localhost',
        headers,
        attempt: 1,
        deadline: Date.now(),
      }
      host.send(TYPE.invoke | FLAG.end, call, BODY, JSON.stringify(head))
      await until(TYPE.done)
    }
  } finally {
    server.calls.clear()
    const target = path.join(CODE_DIR, file)
    fs.rmSync(target, { force: true })
    delete require.cache[target]
    for (const key of Object.keys(Module._pathCache)) if (key.startsWith(target)) delete Module._pathCache[key]
  }
}

/** As far as Wire needs it. */
function socketPair() {
  const ends = [undefined, undefined].map(() => ({
    destroyed: false,
    writableNeedDrain: false,
    onData: undefined,
    peer: undefined,
    on(_data, listener) {
      this.onData = listener
    },
    cork() {},
    uncork() {},
    write(bytes) {
      this.peer.onData(bytes)
    },
  }))
  ends[0].peer = ends[1]
  ends[1].peer = ends[0]
  return ends
}

module.exports = { Rehearsal }
