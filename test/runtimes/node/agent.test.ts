// The agent of the node runtime, in real containers. How it finds the function is in load.test.ts.
import { expect, test } from 'vitest'

import { describeWithDocker } from '#test/invoker/sandbox/docker/daemon'
import { RunningFunction } from '#test/invoker/sandbox/docker/running-function'

await describeWithDocker('the node agent in a container', (get) => {
  const start = (files: Record<string, string>, spec: Record<string, unknown> = {}): Promise<RunningFunction> =>
    RunningFunction.start(get().driver, 'node', files, spec)

  test('hands an event handler its event and context, and takes what it returns', async () => {
    await using running = await start({
      'index.mjs': `export async function handler(event, context) {
        if (event === 'nothing') return undefined
        if (event?.answer) return event.answer
        const { waitUntil, getRemainingTimeInMillis, ...rest } = context
        return { event, rest, left: getRemainingTimeInMillis(), kind: typeof waitUntil }
      }`,
    })
    const json = await running.call({ method: 'POST', body: '{"name":"Ada"}' })
    expect(json.head).toEqual({ status: 200, headers: [['content-type', 'application/json']] })
    expect(JSON.parse(json.text)).toMatchObject({
      event: { name: 'Ada' },
      rest: { functionName: 'tested', functionVersion: '3', attempt: 2, invocationId: expect.stringMatching(/-/) },
      kind: 'function',
    })
    expect(JSON.parse((await running.call({ body: 'not JSON' })).text)).toMatchObject({ event: 'not JSON' })
    expect(JSON.parse((await running.call()).text)).toMatchObject({ event: null })
    expect((await running.call({ body: '"nothing"' })).head).toEqual({ status: 204, headers: [] })
    const gateway = {
      statusCode: 201,
      headers: { 'X-A': 'b' },
      cookies: ['a=1', 'b=2'],
      body: 'aGk=',
      isBase64Encoded: true,
    }
    const answered = await running.call({ body: JSON.stringify({ answer: gateway }) })
    expect(answered.text).toBe('hi')
    expect(answered.head).toEqual({
      status: 201,
      headers: [
        ['x-a', 'b'],
        ['set-cookie', 'a=1'],
        ['set-cookie', 'b=2'],
        ['content-type', 'application/octet-stream'],
      ],
    })
  })

  test('reads and streams bodies that are larger than the window, waiting for a slow caller', async () => {
    await using running = await start({
      'index.mjs': `export default { async fetch(request) {
        const upper = new TransformStream({ transform: (chunk, out) => out.enqueue(chunk.map((byte) => byte ^ 0x20)) })
        return new Response(request.body.pipeThrough(upper))
      } }`,
    })
    const body = Buffer.alloc(5_000_000, 'abcdefg')
    async function* pieces(): AsyncGenerator<Uint8Array> {
      for (let offset = 0; offset < body.length; offset += 70_001) yield body.subarray(offset, offset + 70_001)
    }
    const received: Uint8Array[] = []
    const onChunk = async (bytes: Uint8Array): Promise<void> => {
      received.push(bytes)
      await new Promise((resolve) => setImmediate(resolve))
    }
    await running.call({ method: 'POST', body: pieces(), onChunk })
    expect(Buffer.concat(received).equals(Buffer.alloc(5_000_000, 'ABCDEFG'))).toBe(true)
  })

  test('keeps the sandbox small while a caller does not read', async () => {
    await using running = await start(
      {
        'index.mjs': `export default { fetch() {
        let sent = 0
        return new Response(new ReadableStream({ pull(controller) {
          if (sent++ === 300) controller.close()
          else controller.enqueue(new Uint8Array(1 << 20))
        } }))
      } }`,
      },
      { memoryMiB: 128 },
    )
    let received = 0
    const { outcome } = await running.call({
      onChunk: async (bytes) => {
        received += bytes.length
        if (received % (50 << 20) < 65_536) await new Promise((resolve) => setTimeout(resolve, 20))
      },
    })
    expect(outcome).toEqual({ kind: 'responded', status: 200 })
    expect(received).toBe(300 << 20)
  })

  test('has Request and Response that pass for the real ones', async () => {
    await using running = await start({
      'index.mjs': `class Own extends Response {}
      export default { async fetch(request) {
        const form = new FormData(); form.set('a', 'b')
        const copy = request.clone()
        const real = new Request('http://x.local/y', { method: 'POST', body: form })
        return Response.json({
          instances: [request instanceof Request, new Own('') instanceof Response, new Own('') instanceof Own,
            request.headers instanceof Headers, real instanceof Request, new Response('') instanceof Own],
          url: request.url, method: request.method, same: await request.text() === await copy.text(),
          form: [...(await new Response(form).formData())], sent: (await real.formData()).get('a'),
          blob: await new Response(new Blob(['x'], { type: 'a/b' })).blob().then((b) => b.type),
          used: request.bodyUsed, signal: request.signal.aborted,
          again: await request.text().then(() => 'read', (error) => error.constructor.name),
        })
      } }`,
    })
    const { text } = await running.call({ method: 'POST', target: '/x?y=ü', body: 'hello' })
    expect(JSON.parse(text)).toEqual({
      instances: [true, true, true, true, true, false],
      url: 'http://test.local:8787/x?y=%C3%BC',
      method: 'POST',
      same: true,
      form: [['a', 'b']],
      sent: 'b',
      blob: 'a/b',
      used: true,
      signal: false,
      again: 'TypeError',
    })
  })

  test('aborts request.signal and ends the streams of a cancelled call', async () => {
    await using running = await start({
      'index.mjs': `let ended = 'no'
      export default { async fetch(request) {
        if (new URL(request.url).pathname === '/ended') return new Response(ended)
        return new Response(new ReadableStream({
          start(controller) { controller.enqueue(new TextEncoder().encode('first')) },
          cancel(reason) { ended = reason.name + ' ' + request.signal.aborted },
        }))
      } }`,
    })
    const caller = new AbortController()
    const { outcome } = await running.call({ signal: caller.signal, onChunk: () => caller.abort() })
    expect(outcome).toEqual({ kind: 'cancelled' })
    expect((await running.call({ target: '/ended' })).text).toBe('AbortError true')
  })

  test('gives an uncaught exception to the call that it belongs to, and ends with code 1', async () => {
    await using running = await start({
      'index.mjs': `export default { fetch: (request) => new Promise(() => {
        if (request.url.endsWith('/throws')) setTimeout(() => { throw new TypeError('too late') }, 50)
      }) }`,
    })
    const beside = running.call()
    const { outcome, logs } = await running.call({ target: '/throws' })
    expect(outcome).toMatchObject({ kind: 'failed', failure: { type: 'TypeError', message: 'too late' } })
    expect(logs).toEqual([expect.stringMatching(/^stderr: Uncaught TypeError: too late\n/)])
    const detail = 'exit code 1 after an uncaught TypeError'
    expect((await beside).outcome).toEqual({ kind: 'exited', detail })
    expect(await running.sandbox.ended).toEqual({ cause: 'exited', detail })
  })

  test('gives an unhandled rejection to its call', async () => {
    await using running = await start({
      'index.mjs': `export default { fetch: () => new Promise(() => void Promise.reject(new Error('nobody cared'))) }`,
    })
    expect((await running.call()).outcome).toMatchObject({ kind: 'failed', failure: { message: 'nobody cared' } })
  })

  test('delivers what was written just before process.exit', async () => {
    await using running = await start({
      'index.mjs': `export default { fetch() { console.log('last words'); process.stdout.write('half'); process.exit(3) } }`,
    })
    const { outcome, logs } = await running.call()
    expect(outcome).toEqual({ kind: 'exited', detail: 'exit code 3' })
    expect(logs).toEqual(['stdout: last words', 'stdout: half'])
  })

  test('delivers what was written before code that never yields, however much it is', async () => {
    await using running = await start({
      'index.mjs': `export default { async fetch(request) {
        await new Promise(setImmediate)
        for (let line = 0; line < 5_000; line++) console.log('line', line)
        console.error('x'.repeat(100_000))
        for (;;);
      } }`,
    })
    const call = running.call()
    await expect.poll(() => running.sandbox.responsive(500), { timeout: 10_000 }).toBe(false)
    await running.sandbox[Symbol.asyncDispose]()
    const { logs } = await call
    expect(logs.slice(0, 5_000)).toEqual(Array.from({ length: 5_000 }, (_, line) => `stdout: line ${line}`))
    expect(logs.slice(5_000).map((text) => text.length - 'stderr: '.length)).toEqual([65_536, 100_000 - 65_536])
  })

  test('survives code that writes without end', async () => {
    await using running = await start(
      { 'index.mjs': `export default { fetch() { for (;;) console.log('x'.repeat(1000)) } }` },
      { memoryMiB: 128 },
    )
    const call = running.call()
    expect(await running.sandbox.responsive(3_000)).toBe(false)
    await running.sandbox[Symbol.asyncDispose]()
    const { outcome, logs } = await call
    expect(outcome.kind).toBe('exited')
    expect(logs.at(-1)).toBe('stdout: [output after 1048576 bytes dropped]')
  })

  test('reports a full V8 heap as out of memory', async () => {
    await using running = await start(
      { 'index.mjs': `export default { fetch() { const kept = []; for (;;) kept.push({ a: [kept.length] }) } }` },
      { memoryMiB: 128 },
    )
    expect((await running.call()).outcome).toEqual({ kind: 'out-of-memory', limitMiB: 128 })
  })

  test('keeps console calls in one piece, and lines apart', async () => {
    await using running = await start({
      'index.mjs': `export default { fetch() {
        console.log('a\\nb', { c: 1 }); console.error('d')
        process.stdout.write('e'); process.stdout.write('f\\ng\\r\\nh'); process.stderr.write(Buffer.from('i\\n'))
        return new Response('')
      } }`,
    })
    const { logs } = await running.call()
    expect(logs).toEqual(['stdout: a\nb { c: 1 }', 'stderr: d', 'stdout: ef', 'stdout: g', 'stderr: i', 'stdout: h'])
  })

  test('refuses what is not a response', async () => {
    await using running = await start({ 'index.mjs': `export default { fetch: () => ({ status: 200 }) }` })
    expect((await running.call()).outcome).toMatchObject({
      kind: 'failed',
      failure: { message: 'a fetch handler returns a Response: received an object of Object' },
    })
  })

  test('reports a stream that breaks after the head', async () => {
    await using running = await start({
      'index.mjs': `export default { fetch: () => new Response(new ReadableStream({
        start: (controller) => controller.enqueue(new Uint8Array([65])), pull() { throw new Error('broken pipe') } })) }`,
    })
    const { outcome, text, head } = await running.call()
    expect([head?.status, text]).toEqual([200, 'A'])
    expect(outcome).toMatchObject({ kind: 'failed', failure: { message: 'broken pipe' } })
  })
})
