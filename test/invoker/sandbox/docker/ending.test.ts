// Code that ends its own container: the call at fault learns why, and the next one, however soon, gets another container.
import { expect, test } from 'vitest'

import { type Fixture, World } from '#test/contract/world'

import { codeFiles, describeWithDocker } from './daemon.ts'

const NODE = `import { setTimeout as sleep } from 'node:timers/promises'
const throwSoon = () => setTimeout(() => { throw new RangeError('nobody cared') }, 5)
const acts = {
  '/reject': () => void Promise.reject(new RangeError('nobody cared')),
  '/timer': throwSoon,
  '/answered': (ctx) => ctx.waitUntil(sleep(1000, throwSoon())),
  '/exit': () => setTimeout(() => process.exit(3), 5),
  '/wait': () => sleep(10_000),
  '/loop': () => { console.log('before'); while (true); },
  '/bomb': () => {
    const kept = []
    console.log('before')
    while (true) kept.push({ s: 'x' + kept.length, y: [1, 2, 3] })
  },
}
const stream = (request) => new ReadableStream({
  start(controller) {
    controller.enqueue(new TextEncoder().encode('first'))
    request.signal.addEventListener('abort', () => console.log('signal'))
  },
  async cancel() { console.log('cancel'); await sleep(30); console.log('later') },
})
async function* generator() { yield 'first'; await sleep(60_000) }
const waits = async (request) => {
  await sleep(60_000, undefined, { signal: request.signal }).catch((error) => console.log(error.name))
  await sleep(30)
  console.log('later')
  return new Response('nobody reads it')
}
export default { async fetch(request, env, ctx) {
  const { pathname } = new URL(request.url)
  if (pathname === '/stream') return new Response(stream(request))
  if (pathname === '/generator') return new Response(ReadableStream.from(generator()))
  if (pathname === '/waits') return waits(request)
  await acts[pathname]?.(ctx)
  if (pathname !== '/answered' && pathname !== '/hello') await sleep(1000)
  return new Response('hello')
} }`
const PYTHON = `import asyncio, sys
async def app(scope, receive, send):
    if scope["type"] == "lifespan":
        raise NotImplementedError
    if scope["path"] == "/exit":
        await asyncio.sleep(0.005)
        sys.exit(3)
    if scope["path"] == "/loop":
        print("before")
        while True:
            pass
    if scope["path"] == "/bomb":
        print("before")
        kept = []
        while True:
            kept.append({"s": "x" + str(len(kept)), "y": [1, 2, 3]})
    if scope["path"] == "/waits":
        try:
            await asyncio.sleep(60)
        finally:
            print("cancel")
            await asyncio.sleep(0.03)
            print("later")
    if scope["path"] == "/wait":
        await asyncio.sleep(10)
    await send({"type": "http.response.start", "status": 200})
    await send({"type": "http.response.body", "body": b"hello"})
`

const GENERATOR = `import time
def pieces():
    try:
        while True:
            yield "x"
            time.sleep(0.02)
    finally:
        print("cancel")
        time.sleep(0.03)
        print("later")
def handler(event, context):
    return "hello" if event == "hello" else pieces()
`

const fixtures: Record<'node' | 'python' | 'generator', Fixture> = {
  node: { name: 'node', spec: { runtime: 'node' }, artifact: async () => codeFiles({ 'index.mjs': NODE }) },
  python: { name: 'python', spec: { runtime: 'python' }, artifact: async () => codeFiles({ 'main.py': PYTHON }) },
  generator: { name: 'python', spec: { runtime: 'python' }, artifact: async () => codeFiles({ 'main.py': GENERATOR }) },
}
const failure = { type: 'RangeError', message: 'nobody cared', stack: expect.stringContaining('/fn/index.mjs') }
const uncaught = 'exit code 1 after an uncaught RangeError'

await describeWithDocker('a container that its code ends', (get) => {
  test.each([
    ['node', '/reject', { kind: 'failed', failure }, uncaught],
    ['node', '/timer', { kind: 'failed', failure }, uncaught],
    ['node', '/answered', { kind: 'responded', status: 200 }, uncaught],
    ['node', '/exit', { kind: 'exited', detail: 'exit code 3' }, 'exit code 3'],
    ['python', '/exit', { kind: 'exited', detail: 'exit code 3' }, 'exit code 3'],
  ] as const)('%s %s: no other call is lost but those under way', async (runtime, target, outcome, detail) => {
    await using world = await World.open(get().driver, fixtures[runtime])
    for (const concurrency of [1, 8]) {
      const version = await world.deploy({ concurrency })
      for (let round = 0; round < 3; round++) {
        await world.call(version, '/hello')
        const beside = concurrency === 1 ? undefined : world.call(version, '/wait')
        expect((await world.call(version, target)).completion.outcome).toMatchObject(outcome)
        expect((await world.call(version, '/hello')).text).toBe('hello')
        if (beside !== undefined) expect((await beside).completion.outcome).toEqual({ kind: 'exited', detail })
      }
    }
  })

  test.each([
    ['node', '/loop', 500, { kind: 'timed-out', limitMs: 500 }],
    ['node', '/bomb', 10_000, { kind: 'out-of-memory', limitMiB: 128 }],
    ['python', '/loop', 500, { kind: 'timed-out', limitMs: 500 }],
    ['python', '/bomb', 10_000, { kind: 'out-of-memory', limitMiB: 128 }],
  ] as const)(
    '%s %s: what it wrote before is kept, and the next call works',
    async (runtime, target, timeoutMs, end) => {
      await using world = await World.open(get().driver, fixtures[runtime])
      const version = await world.deploy({ timeoutMs, memoryMiB: 128 })
      const { completion, logs } = await world.call(version, target)
      expect(completion.outcome).toEqual(end)
      expect(logs.map(({ text }) => text)).toEqual(['before'])
      expect(logs.every(({ at }) => Number.isInteger(at))).toBe(true)
      expect((await world.call(version, '/hello')).text).toBe('hello')
    },
  )

  test.each([
    ['node', '/stream', ['signal', 'cancel', 'later']],
    ['node', '/waits', ['AbortError', 'later']],
    ['node', '/generator', []],
    ['python', '/waits', ['cancel', 'later']],
    ['generator', '/', ['cancel', 'later']],
  ] as const)('%s %s: what it writes while it winds down is kept, and it lives on', async (name, target, lines) => {
    await using world = await World.open(get().driver, fixtures[name])
    const version = await world.deploy()
    const request = { method: 'POST', body: Buffer.from('"hello"') }
    await world.call(version, '/hello', request)
    const caller = new AbortController()
    setTimeout(() => caller.abort(), 300)
    const { completion, logs } = await world.call(version, target, { signal: caller.signal })
    expect(completion.outcome).toEqual({ kind: 'cancelled' })
    await expect.poll(() => logs.map(({ text }) => text)).toEqual(lines)
    await expect.poll(() => world.invoker.activity(version).sandboxes).toMatchObject({ idle: 1, busy: 0 })
    expect((await world.call(version, '/hello', request)).start?.kind).toBe('warm')
  })
})
