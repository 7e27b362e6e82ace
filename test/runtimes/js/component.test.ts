// The prelude where it runs: in a real component, in the real Wasm host.
import { afterAll, beforeAll, describe, expect, it } from 'vitest'

import type { FileSet } from '#core/artifact'
import { type LoadedSandbox, WasmWorkshop } from '#test/invoker/sandbox/wasm/sandboxes'

const FETCH_HANDLER = `
const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms))
const atLoad = [Math.random(), Math.random(), performance.now(), typeof new URL('http://a/b?c').searchParams]
console.log('loaded', { once: true })
let calls = 0

class Custom extends TypeError {
  name = 'Custom'
}

const paths = {
  '/load': () => Response.json(atLoad),
  '/random': () => Response.json([Math.random(), crypto.randomUUID(), [...crypto.getRandomValues(new Uint8Array(8))]]),
  '/time': async () => {
    const [date, start] = [Date.now(), performance.now()]
    await sleep(20)
    return Response.json({ date, at: +new Date() - date, elapsed: performance.now() - start })
  },
  '/utf8': async ({ request }) => {
    const text = await request.text()
    console.log(text)
    return new Response(text + '\\ud800')
  },
  '/base64': () => Response.json([btoa('hi\\xff'), atob('aGk='), structuredClone(new Map([[1, new Date(0)]])).get(1)]),
  '/throw': () => {
    throw new Custom('lone \\ud800 surrogate')
  },
  '/throw-text': () => {
    throw 'just text'
  },
  '/throw-null': () => {
    throw null
  },
  '/bomb': () => {
    const many = new Map()
    for (let i = 0; ; i++) many.set('key ' + i, { i, list: [i, i, i] })
  },
  '/small-objects': async () => {
    await null
    const many = []
    for (;;) many.push(() => many)
  },
  '/number': () => 42,
  '/reject': () => Promise.reject(new RangeError('later')),
  '/timers': () => {
    setInterval(() => console.log('never seen'), 5)
    setTimeout(() => console.log('never seen'), 60_000)
    return new Response('done')
  },
  '/order': async () => {
    const order = []
    const cleared = setTimeout(() => order.push('cleared'), 1)
    clearTimeout(cleared)
    setTimeout((name) => order.push(name), 20, 'slow')
    setTimeout((name) => order.push(name), 2, 'fast')
    queueMicrotask(() => order.push('microtask'))
    await sleep(40)
    return Response.json(order)
  },
  '/timer-throws': async () => {
    setTimeout(() => {
      throw new RangeError('in a timer')
    }, 1)
    await sleep(5000)
    return new Response('never')
  },
  '/timer-rejects': async ({ request }) => {
    setTimeout(async () => {
      throw new RangeError('in an asynchronous timer')
    }, 1)
    await new Promise((resolve) => request.signal.addEventListener('abort', resolve))
    return new Response('never')
  },
  '/microtask-throws': async () => {
    queueMicrotask(() => {
      throw new RangeError('in a microtask')
    })
    await sleep(5000)
    return new Response('never')
  },
  '/stream-timer-throws': () => {
    setTimeout(() => {
      throw new RangeError('beside a stream')
    }, 5)
    return new Response(new ReadableStream({ start: (c) => c.enqueue(new Uint8Array(1)) }))
  },
  '/late-timer-throws': ({ ctx }) => {
    setTimeout(() => {
      throw new RangeError('too late')
    }, 5)
    ctx.waitUntil(sleep(20).then(() => console.log('last')))
    return new Response('now')
  },
  '/stream': () => {
    const { readable, writable } = new TransformStream()
    const writer = writable.getWriter()
    const write = async () => {
      for (const word of ['one', 'two', 'three']) {
        await writer.write(new TextEncoder().encode(word + ' '))
        await sleep(2)
      }
      await writer.close()
    }
    write()
    return new Response(readable)
  },
  '/stream-breaks': () => new Response(new ReadableStream({ pull: (c) => c.error(new RangeError('broke')) })),
  '/later': ({ ctx }) => {
    ctx.waitUntil(sleep(5).then(() => console.log('afterwards', ++calls)))
    ctx.waitUntil(Promise.reject(new Error('unimportant')))
    return new Response('now')
  },
  '/form': async ({ request }) => Response.json([...(await request.formData())]),
  '/env': ({ env, ctx }) => Response.json({ env, frozen: Object.isFrozen(env), ctx: typeof ctx.invocationId, attempt: ctx.attempt }),
  '/names': () => Response.json([Request, Response, Headers, URL, ReadableStream].map((one) => one.name)),
  '/fetch': async () => {
    try {
      await fetch('http://127.0.0.1:1/')
      return new Response('reached')
    } catch (error) {
      return Response.json([error.name, error instanceof TypeError])
    }
  },
}

export default {
  async fetch(request, env, ctx) {
    const handler = paths[new URL(request.url).pathname]
    return handler === undefined ? new Response(null, { status: 404 }) : handler({ request, env, ctx })
  },
}
`

const EVENT_HANDLER = `
export async function handler(event, context) {
  if (event === null) return undefined
  if (event.status) return { statusCode: 201, headers: { 'X-A': 'b' }, cookies: ['c=1', 'd=2'], body: 'AAH/', isBase64Encoded: true }
  if (event.context) {
    const left = context.getRemainingTimeInMillis()
    return { id: typeof context.invocationId, attempt: context.attempt, left: left > 0 && left <= 10_000 }
  }
  return typeof event === 'string' ? 'text: ' + event : { event }
}
`

let workshop: WasmWorkshop
let fetchFiles: FileSet
let sandbox: LoadedSandbox

beforeAll(async () => {
  workshop = await WasmWorkshop.open()
  fetchFiles = await workshop.build('js', 'index.js', FETCH_HANDLER)
  sandbox = await workshop.load(fetchFiles, { env: { GREETING: 'hé' } })
})

afterAll(() => workshop[Symbol.asyncDispose]())

describe('a fetch handler on QuickJS', () => {
  it('has live randomness and time, although its memory is that of the build', async () => {
    const answers = [await sandbox.call('/random'), await sandbox.call('/random'), await sandbox.call('/random')]
    expect(new Set(answers.map(({ text }) => text)).size).toBe(3)
    const [random, uuid] = JSON.parse(answers[0]?.text ?? '') as [number, string]
    expect(random).toBeGreaterThanOrEqual(0)
    expect(random).toBeLessThan(1)
    expect(uuid).toMatch(/^[\da-f]{8}-[\da-f]{4}-4[\da-f]{3}-[89ab][\da-f]{3}-[\da-f]{12}$/)
    const { date, at, elapsed } = JSON.parse((await sandbox.call('/time')).text) as Record<string, number>
    expect(Math.abs((date ?? 0) - Date.now())).toBeLessThan(60_000)
    expect([at, elapsed].every((ms) => (ms ?? 0) >= 19)).toBe(true)
  })

  it('gives the same values at load time in every instance, and says nothing of it', async () => {
    const other = await workshop.load(fetchFiles)
    const [here, there] = [await sandbox.call('/load'), await other.call('/load')]
    expect(there.text).toBe(here.text)
    expect([here.logs, there.logs]).toEqual([[], []])
  })

  it.each([
    ['names of the classes', '/names', '["Request","Response","Headers","URL","ReadableStream"]'],
    ['base64 and clones', '/base64', '["aGn/","hi","1970-01-01T00:00:00.000Z"]'],
    ['timers in their order', '/order', '["microtask","fast","slow"]'],
    ['its environment', '/env', '{"env":{"GREETING":"hé"},"frozen":true,"ctx":"string","attempt":1}'],
    ['a stream through a transform', '/stream', 'one two three '],
    ['fetch that fails as a TypeError', '/fetch', '["TypeError",true]'],
  ])('has %s', async (_what, path, expected) => {
    expect((await sandbox.call(path)).text).toBe(expected)
  })

  it('keeps text whole, and never lets a lone surrogate out', async () => {
    const text = 'é€😀\u0000'
    const reply = await sandbox.call('/utf8', { method: 'POST', body: Buffer.from(text) })
    expect(reply.text).toBe(`${text}\ufffd`)
    expect(reply.logs).toEqual([`stdout: ${text}`])
  })

  it('reads forms', async () => {
    const headers = [['content-type', 'application/x-www-form-urlencoded']] as const
    const reply = await sandbox.call('/form', { method: 'POST', headers, body: Buffer.from('a=1&b=%C3%A9') })
    expect(reply.text).toBe('[["a","1"],["b","é"]]')
  })

  it.each([
    ['/throw', { type: 'Custom', message: 'lone \ufffd surrogate' }],
    ['/throw-text', { type: 'string', message: 'just text' }],
    ['/throw-null', { type: 'null', message: 'null' }],
    ['/number', { type: 'TypeError', message: 'the fetch handler must return a Response: received number' }],
    ['/reject', { type: 'RangeError', message: 'later' }],
    ['/stream-breaks', { type: 'RangeError', message: 'broke' }],
  ])('says what %s threw, and answers the next call', async (path, failure) => {
    expect((await sandbox.call(path)).outcome).toMatchObject({ kind: 'failed', failure })
    expect((await sandbox.call('/names')).outcome).toEqual({ kind: 'responded', status: 200 })
  })

  it.each(['/bomb', '/small-objects'])('runs out of memory in %s, and answers the next call', async (path) => {
    const loaded = await workshop.load(fetchFiles)
    expect((await loaded.call(path)).outcome).toEqual({ kind: 'out-of-memory', limitMiB: 64 })
    expect((await loaded.call('/names')).outcome).toEqual({ kind: 'responded', status: 200 })
  })

  it('ends with its calls: timers do not outlive them', async () => {
    const replies = [await sandbox.call('/timers'), await sandbox.call('/timers'), await sandbox.call('/order')]
    expect(replies.map(({ outcome }) => outcome)).toEqual(replies.map(() => ({ kind: 'responded', status: 200 })))
    expect(replies.flatMap(({ logs }) => logs)).not.toContain('never seen')
  })

  it.each([
    ['a timer', '/timer-throws', 'in a timer'],
    ['an asynchronous timer', '/timer-rejects', 'in an asynchronous timer'],
    ['a microtask', '/microtask-throws', 'in a microtask'],
    ['a timer beside a stream', '/stream-timer-throws', 'beside a stream'],
  ])('fails by what is thrown in %s, where nobody can catch it', async (_what, path, message) => {
    const { outcome } = await sandbox.call(path)
    const stack = expect.stringMatching(/^ +at .*index\.js:\d+:\d+\)\n?$/)
    expect(outcome).toEqual({ kind: 'failed', failure: { type: 'RangeError', message, stack } })
    expect((await sandbox.call('/names')).outcome).toEqual({ kind: 'responded', status: 200 })
  })

  it('logs what a timer throws after the response, by the lines of the user', async () => {
    const { text, outcome, logs } = await sandbox.call('/late-timer-throws')
    expect([text, outcome.kind]).toEqual(['now', 'responded'])
    expect(logs[0]).toMatch(/^stderr: RangeError: too late\n +at .*\(index\.js:\d+:\d+\)$/)
    expect(logs.slice(1)).toEqual(['stdout: last'])
  })

  it('waits for what ctx.waitUntil was given, and only logs when that fails', async () => {
    const { text, outcome, logs } = await sandbox.call('/later')
    expect([text, outcome]).toEqual(['now', { kind: 'responded', status: 200 }])
    expect(logs).toContain('stdout: afterwards 1')
    expect(logs.join('\n')).toContain('waitUntil: Error: unimportant')
  })
})

describe('an event handler on QuickJS', () => {
  it.each([
    ['nothing', '', 204, ''],
    ['JSON', '{"a":[1]}', 200, '{"event":{"a":[1]}}'],
    ['text', 'plain {', 200, 'text: plain {'],
    ['its context', '{"context":true}', 200, '{"id":"string","attempt":1,"left":true}'],
  ])('takes %s', async (_what, body, status, text) => {
    const loaded = await eventSandbox()
    const reply = await loaded.call('/', { method: 'POST', body: Buffer.from(body) })
    expect([reply.head?.status, reply.text]).toEqual([status, text])
  })

  it('gives the answers of API Gateway', async () => {
    const reply = await (await eventSandbox()).call('/', { method: 'POST', body: Buffer.from('{"status":1}') })
    expect(reply.head).toEqual({
      status: 201,
      headers: [
        ['content-type', 'application/octet-stream'],
        ['set-cookie', 'c=1'],
        ['set-cookie', 'd=2'],
        ['x-a', 'b'],
      ],
    })
  })
})

async function eventSandbox(): Promise<LoadedSandbox> {
  return workshop.load(await workshop.build('js', 'index.js', EVENT_HANDLER))
}
