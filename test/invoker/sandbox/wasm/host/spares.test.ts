import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

import { afterAll, beforeAll, describe, expect, it } from 'vitest'

import type { FileSet } from '#core/artifact'
import { systemClock } from '#core/clock'
import type { FunctionVersion } from '#core/function'
import { newSandboxId, parseFunctionName, parseVersionNumber } from '#core/ids'
import { parseSpec } from '#core/spec'
import type { FrameSocket } from '#invoker/sandbox/frame-socket'
import { createWasmBuilder } from '#invoker/sandbox/wasm/build/builder'
import { EgressGate } from '#invoker/sandbox/wasm/egress'
import { bundleHost } from '#invoker/sandbox/wasm/host-bundle'
import { Call } from '#invoker/sandbox/wasm/host/call'
import { HttpGuest } from '#invoker/sandbox/wasm/host/http-world'
import type { LoadMessage } from '#invoker/sandbox/wasm/host/messages'
import { ModuleCache } from '#invoker/sandbox/wasm/host/modules'
import { practiceComponent } from '#invoker/sandbox/wasm/host/practice-component'
import { SpareWorkers } from '#invoker/sandbox/wasm/host/spares'
import { WorkerSandbox } from '#invoker/sandbox/wasm/host/worker-sandbox'
import { WasmSandbox } from '#invoker/sandbox/wasm/sandbox'

import { LoadedSandbox, WasmWorkshop } from '../sandboxes.ts'

/** Leaves a mark wherever code can leave one, and says what it finds. */
const MARKS = `
let calls = 0
export default {
  fetch() {
    calls++
    const found = { calls, global: globalThis.mark, prototype: ({}).mark }
    globalThis.mark = 'left'
    Object.prototype.mark = 'left'
    setInterval(() => console.log('still here'), 1)
    return Response.json(found)
  },
}`
const HANGS = `export default { fetch() { for (;;); } }`
const channel = 7

let dir: string
let workshop: WasmWorkshop
let workerPath: string

beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'hearth-spares-'))
  workshop = await WasmWorkshop.open()
  workerPath = (await bundleHost(dir)).workerPath
})
afterAll(async () => {
  await workshop[Symbol.asyncDispose]()
  await rm(dir, { recursive: true })
})

/** What a worker is given to load, or to practise with. State is kept from call to call. */
async function loadOf(files: FileSet): Promise<LoadMessage> {
  const { keepGlueCode: _, ...loaded } = await new ModuleCache(1e9).load(await workshop.onDisk(files))
  return { kind: 'load', spec: { env: {}, memoryMiB: 64, instances: 'warm' }, ...loaded }
}

/** A sandbox in a worker that is taken from the spares, without a process between. */
async function sandboxIn(spares: SpareWorkers, files: FileSet): Promise<LoadedSandbox> {
  const worker = new WorkerSandbox({
    channel,
    worker: spares.take(),
    modules: new ModuleCache(1e9),
    onFrame: (frame) => sandbox.receive(frame),
    onEnd: (termination) => sandbox.end(termination),
  })
  const socket = {
    send(frame: Parameters<FrameSocket['send']>[0], payload: Uint8Array = new Uint8Array(), head?: string) {
      if (frame.channel !== channel) return worker.terminate()
      const text = Buffer.from(head ?? '')
      const size = Buffer.alloc(head === undefined ? 0 : 4)
      if (head !== undefined) size.writeUInt32LE(text.length)
      worker.receive({ ...frame, payload: Buffer.concat([size, text, payload]) })
    },
  } as FrameSocket
  const gate = new EgressGate({ clock: systemClock })
  const id = newSandboxId('wasm')
  const options = {
    id,
    channel,
    socket,
    clock: systemClock,
    gate,
    onLoaded() {},
    onEnded: () => gate[Symbol.dispose](),
  }
  const sandbox = new WasmSandbox(options)
  const spec = parseSpec({ instances: 'warm' }, 'js')
  const [name, number] = [parseFunctionName('test'), parseVersionNumber(1)]
  const code = { function: name, version: number, spec, files: await workshop.onDisk(files) }
  const loaded = await sandbox.load(code, new AbortController().signal)
  return new LoadedSandbox(sandbox, { function: name, number, spec } as FunctionVersion, loaded)
}

describe('a spare worker', () => {
  it('that has practised serves a function that finds nothing of the practice', async () => {
    const marks = await workshop.build('js', 'index.js', MARKS)
    await using spares = new SpareWorkers({ workerPath, count: 1 })
    spares.practiseWith(await loadOf(marks))
    expect(spares.practised).toBe(0)
    await expect.poll(() => spares.practised).toBe(1)
    const served = await sandboxIn(spares, marks)
    const first = await served.call('/')
    expect(JSON.parse(first.text)).toEqual({ calls: 1 })
    await new Promise((resolve) => setTimeout(resolve, 50))
    expect(first.logs).toEqual([])
    // The marks are where they are looked for.
    expect(JSON.parse((await served.call('/')).text)).toEqual({ calls: 2, global: 'left', prototype: 'left' })
    await served.sandbox[Symbol.asyncDispose]()
  })

  it('that has practised with a component serves functions of either kind', async () => {
    await using spares = new SpareWorkers({ workerPath, count: 2 })
    spares.practiseWith(practiceComponent())
    await expect.poll(() => spares.practised).toBe(2)
    const hello = await readFile(new URL('../../../../../functions/hello-wasm/main.wasm', import.meta.url))
    const component = await sandboxIn(spares, await workshop.build('wasm', 'main.wasm', hello))
    expect((await component.call('/here')).text).toContain('/here')
    const js = await sandboxIn(spares, await workshop.build('js', 'index.js', MARKS))
    expect(JSON.parse((await js.call('/')).text)).toEqual({ calls: 1 })
    for (const { sandbox } of [component, js]) await sandbox[Symbol.asyncDispose]()
  })

  it('that is taken while it practises serves its function all the same', async () => {
    const marks = await workshop.build('js', 'index.js', MARKS)
    await using spares = new SpareWorkers({ workerPath, count: 1 })
    spares.practiseWith(await loadOf(marks))
    const served = await sandboxIn(spares, marks)
    expect(JSON.parse((await served.call('/')).text)).toEqual({ calls: 1 })
    await served.sandbox[Symbol.asyncDispose]()
  })

  it('whose practice hangs is replaced, by one that does not practise so', async () => {
    const [hangs, marks] = [
      await workshop.build('js', 'index.js', HANGS),
      await workshop.build('js', 'index.js', MARKS),
    ]
    await using spares = new SpareWorkers({ workerPath, count: 1, maxPracticeMs: 200 })
    spares.practiseWith(await loadOf(hangs))
    expect(spares.practised).toBe(0)
    await expect.poll(() => spares.practised).toBe(1)
    const served = await sandboxIn(spares, marks)
    expect(JSON.parse((await served.call('/')).text)).toEqual({ calls: 1 })
    await served.sandbox[Symbol.asyncDispose]()
  })

  it('whose practice breaks is as good as one without', async () => {
    const marks = await workshop.build('js', 'index.js', MARKS)
    await using spares = new SpareWorkers({ workerPath, count: 1 })
    spares.practiseWith({ ...(await loadOf(marks)), modules: new Map() })
    await expect.poll(() => spares.practised).toBe(1)
    const served = await sandboxIn(spares, marks)
    expect(JSON.parse((await served.call('/')).text)).toEqual({ calls: 1 })
    await served.sandbox[Symbol.asyncDispose]()
  })
})

describe('the component to practise with', () => {
  it('answers in a new instance for each call', async () => {
    const { kind: _, ...load } = practiceComponent()
    const guest = new HttpGuest({ ...load, policy: 'fresh', instantiate: undefined, egress: { fetch: async () => '' } })
    for (let call = 1; call <= 2; call++) expect(await answerOf(guest)).toEqual(['200 practice: practice', 'practice'])
  })
})

/** The head and the body of what a guest answers, in a new instance. */
async function answerOf(guest: HttpGuest): Promise<string[]> {
  const instance = await guest.instantiate()
  const parts: string[] = []
  const socket = {
    flush() {},
    send(_frame: unknown, payload: Uint8Array = new Uint8Array(), head = '') {
      const { status, headers = [] } = JSON.parse(head || '{}') as { status?: number; headers?: string[][] }
      const text = status === undefined ? Buffer.from(payload).toString() : `${status} ${headers[0]?.join(': ')}`
      if (text !== '') parts.push(text)
    },
  } as unknown as FrameSocket
  const head = { id: 'inv_1', method: 'GET', target: '/', origin: 'http://host', headers: [], attempt: 1, deadline: 0 }
  const over = Promise.withResolvers<void>()
  const call = new Call({ socket, channel, number: 1, head, onOver: over.resolve })
  call.body.push(new Uint8Array(), true)
  await instance.run(call)
  await over.promise
  return parts
}

describe('the function to practise with', () => {
  it('is built when it is asked for, and once', async () => {
    await using builder = createWasmBuilder({ cacheDir: join(dir, 'builder') })
    expect(await builder.practice(false)).toBeUndefined()
    const made = await builder.practice(true)
    expect(made?.has('manifest.json')).toBe(true)
    expect(await builder.practice(false)).toEqual(made)
  })

  it('answers', async () => {
    await using builder = createWasmBuilder({ cacheDir: join(dir, 'builder') })
    const served = await workshop.load((await builder.practice(true))!)
    expect(JSON.parse((await served.call('/practice?of=nothing')).text)).toMatchObject({ path: '/practice' })
    await served.sandbox[Symbol.asyncDispose]()
  })
})
