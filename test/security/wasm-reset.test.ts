import { readFile } from 'node:fs/promises'

import { afterAll, beforeAll, describe, expect, it } from 'vitest'

import type { FileSet } from '#core/artifact'
import { Call } from '#invoker/sandbox/wasm/host/call'
import type { GuestInstance } from '#invoker/sandbox/wasm/host/guest'
import { QuickJsGuest } from '#invoker/sandbox/wasm/host/quickjs/guest'
import type { WasmManifest } from '#invoker/sandbox/wasm/artifact'
import type { FrameSocket } from '#invoker/sandbox/frame-socket'
import { WasmWorkshop } from '#test/invoker/sandbox/wasm/sandboxes'

// Hides a mark in every place that a call can reach, and looks for it there.
const CODE = `
let inClosure = 'none'
const list = []
const big = new Uint8Array(200_000)
class Kept { static value = 'none' }
export default {
  async fetch(request, env, ctx) {
    const url = new URL(request.url)
    const mark = url.searchParams.get('mark')
    if (mark !== null) {
      inClosure = mark
      list.push(mark)
      big.set(new TextEncoder().encode(mark), 100_000)
      Kept.value = mark
      globalThis.kept = mark
      Object.prototype.kept = mark
      Array.prototype.map = () => [mark]
      Response.prototype.kept = mark
      console.log = () => {}
      Math.random = () => mark
      setTimeout(() => { globalThis.late = mark }, 0)
      setInterval(() => { globalThis.late = mark; console.error(mark) }, 5)
      new Promise((resolve) => setTimeout(resolve, 30)).then(() => { globalThis.late = mark })
      void (async () => { await null; for (;;) await new Promise((r) => setTimeout(r, 1)) })()
      fetch('http://127.0.0.1:1/').catch(() => { globalThis.late = mark })
      request.signal.addEventListener('abort', () => { globalThis.late = mark })
      if (url.searchParams.has('throw')) throw new Error(mark)
      return new Response('hidden')
    }
    return Response.json({
      inClosure, list, big: big.some((byte) => byte !== 0), kept: Kept.value, global: String(globalThis.kept),
      prototype: String({}.kept), map: [1].map((one) => one)[0], response: String(new Response().kept),
      log: console.log.length + String(console.log).length > 20, random: typeof Math.random(), late: String(globalThis.late),
    })
  },
}
`
const CLEAN = {
  inClosure: 'none',
  list: [],
  big: false,
  kept: 'none',
  global: 'undefined',
  prototype: 'undefined',
  map: 1,
  response: 'undefined',
  random: 'number',
  late: 'undefined',
}
const MARK = 'canary-7f3a91'

let workshop: WasmWorkshop
let artifact: FileSet

beforeAll(async () => {
  workshop = await WasmWorkshop.open()
  artifact = await workshop.build('js', 'index.js', CODE)
})
afterAll(() => workshop[Symbol.asyncDispose]())

describe.each(['reset', 'fresh'])('under the instance policy %s', (instances) => {
  it('a call finds nothing of the calls before it', async () => {
    const sandbox = await workshop.load(artifact, { instances, concurrency: 1 })
    expect(sandbox.loaded).toEqual({ loaded: true })
    for (let round = 0; round < 20; round++) {
      const { outcome } = await sandbox.call(`/?mark=${MARK}${round % 3 === 0 ? '&throw' : ''}`)
      expect(outcome.kind).toBe(round % 3 === 0 ? 'failed' : 'responded')
      const { text, logs } = await sandbox.call('/')
      expect(JSON.parse(text)).toMatchObject(CLEAN)
      expect(text + logs.join('')).not.toContain(MARK)
    }
  })

  it('timers that a call left behind neither run in nor log into the calls after it', async () => {
    const sandbox = await workshop.load(artifact, { instances, concurrency: 1 })
    await sandbox.call(`/?mark=${MARK}`)
    const until = Date.now() + 200
    while (Date.now() < until) {
      const { text, logs } = await sandbox.call('/')
      expect(text + logs.join('')).not.toContain(MARK)
    }
  })

  it('random values differ from call to call', async () => {
    const code = 'export default { fetch: () => new Response(`${Math.random()} ${crypto.randomUUID()}`) }'
    const sandbox = await workshop.load(await workshop.build('js', 'index.js', code), { instances })
    const answers = new Set<string>()
    for (let call = 0; call < 50; call++) answers.add((await sandbox.call('/')).text)
    expect(answers.size).toBe(50)
  })
})

describe('under the instance policy warm', () => {
  it('a call finds what the one before it left: the marks above are where they are looked for', async () => {
    const sandbox = await workshop.load(artifact, { instances: 'warm', concurrency: 1 })
    await sandbox.call(`/?mark=${MARK}`)
    const seen = JSON.parse((await sandbox.call('/')).text) as Record<string, unknown>
    expect(seen).toMatchObject({ inClosure: MARK, list: [MARK], big: true, kept: MARK, global: MARK, prototype: MARK })
    expect(seen).toMatchObject({ map: MARK, response: MARK, random: 'string' })
  })
})

describe('an instance that was restored', () => {
  it('has no byte of the call before it in its memories', async () => {
    const { instance, memories } = await instantiate(artifact)
    expect(marksIn(memories)).toBe(0)
    await run(instance, `/?mark=${MARK}`)
    expect(marksIn(memories)).toBeGreaterThan(0)
    await new Promise((resolve) => setImmediate(resolve))
    // Had it grown, it would be thrown away instead, which is as good.
    expect(instance.recycle()).toBe(true)
    expect(marksIn(memories)).toBe(0)
    // What the guest had under way would write now, if at all.
    await new Promise((resolve) => setTimeout(resolve, 60))
    expect(marksIn(memories)).toBe(0)
  })
})

describe('the memories of an instance that was restored', () => {
  // What a call can make guest and glue write, in each of the ways in which they write.
  const USES = {
    text: `return new Response(request.headers.get('x-long') + 'ü€😀'.repeat(300))`,
    bytes: `return new Response(await request.bytes())`,
    stream: `return new Response(request.body)`,
    host: `console.log(Math.random(), crypto.randomUUID(), Date.now(), env); return Response.json(env)`,
    waits: `fetch('http://a.b/', { method: 'POST', body: 'x'.repeat(900) }); await new Promise((r) => setTimeout(r, 1)); return new Response('late')`,
    bulk: `const a = new Uint8Array(20_000).fill(7); a.copyWithin(3, 9); return new Response(structuredClone(a).slice(4097))`,
    numbers: `
      for (const T of [Int8Array, Uint16Array, Int32Array, Float32Array, Float64Array, BigInt64Array]) new T(300).fill(T === BigInt64Array ? 7n : 7)
      return Response.json([...'abc'].map((c) => ({ c, n: 2n ** 70n + '' })))`,
    recursion: `const f = (n) => (n === 0 ? [] : [n, ...f(n - 1)].sort()); return new Response(String(f(40).length))`,
    failure: `throw new Error(await request.text())`,
  }

  it('are byte for byte those of a new one, whatever the call did', async () => {
    const cases = Object.entries(USES).map(([name, code]) => `async ${name}(request, env) { ${code} }`)
    const source = `const uses = { ${cases.join(',')} }
      export default { fetch: (request, env) => uses[new URL(request.url).pathname.slice(1)](request, env) }`
    const { instance, memories } = await instantiate(await workshop.build('js', 'index.js', source))
    const before = memories.map(({ buffer }) => Buffer.from(buffer.slice(0)))
    for (const use of Object.keys(USES)) {
      await run(instance, `/${use}`, Buffer.alloc(9_000, MARK))
      await new Promise((resolve) => setTimeout(resolve, 5))
      expect(instance.recycle(), use).toBe(true)
      const equal = memories.map(({ buffer }, index) => Buffer.from(buffer).equals(before[index]!))
      expect({ use, equal }).toEqual({ use, equal: memories.map(() => true) })
    }
  })
})

/** An instance in this process, where its memories can be seen. */
async function instantiate(files: FileSet): Promise<{ instance: GuestInstance; memories: WebAssembly.Memory[] }> {
  const local = await workshop.onDisk(files)
  const pathOf = (path: string): string => local.find((file) => file.path === path)!.localPath
  const manifest = JSON.parse(await readFile(pathOf('manifest.json'), 'utf8')) as WasmManifest
  const modules = new Map<string, WebAssembly.Module>()
  for (const [name, path] of Object.entries(manifest.cores)) {
    modules.set(name, await WebAssembly.compile(await readFile(pathOf(path))))
  }
  const guest = new QuickJsGuest({
    manifest,
    modules,
    plan: undefined,
    policy: 'reset',
    spec: { env: {}, memoryMiB: 64, instances: 'reset' },
    egress: { fetch: () => new Promise(() => {}) },
    instantiate: undefined,
  })
  const instance = guest.instantiate()
  return { instance, memories: instance.cores.memories.map(({ memory }) => memory) }
}

async function run(instance: GuestInstance, target: string, body = new Uint8Array()): Promise<void> {
  const headers: [string, string][] = [['x-long', MARK.repeat(500)]]
  const head = { id: 'x', method: 'POST', target, origin: 'http://x', headers, attempt: 1, deadline: 0 }
  const socket = { send() {}, flush() {} } as unknown as FrameSocket
  const call = new Call({ socket, channel: 1, number: 1, head, onOver() {} })
  call.body.push(Buffer.from(body), true)
  await instance.run(call)
}

function marksIn(memories: readonly WebAssembly.Memory[]): number {
  let count = 0
  for (const { buffer } of memories) {
    const bytes = Buffer.from(buffer)
    for (let at = bytes.indexOf(MARK); at !== -1; at = bytes.indexOf(MARK, at + 1)) count++
  }
  return count
}
