// The agent of the python runtime, in real containers.
import { describe, expect, test } from 'vitest'

import { describeWithDocker } from '#test/invoker/sandbox/docker/daemon'
import { RunningFunction } from '#test/invoker/sandbox/docker/running-function'

await describeWithDocker('the python agent in a container', (get) => {
  const start = (files: Record<string, string>, spec: Record<string, unknown> = {}): Promise<RunningFunction> =>
    RunningFunction.start(get().driver, 'python', files, spec)

  describe('finds the function', () => {
    test.each<[string, Record<string, string>, Record<string, unknown>]>([
      ['a handler in main.py', { 'main.py': 'def handler(event, context): return "ok"' }, {}],
      ['an async handler', { 'app.py': 'async def handler(event, context): return "ok"' }, {}],
      [
        'a package',
        { 'main/__init__.py': 'from .text import handler', 'main/text.py': 'def handler(e, c): return "ok"' },
        {},
      ],
      ['the only file', { 'thing.py': 'def handler(event, context): return "ok"' }, {}],
      [
        'file and function of the spec',
        { 'src/jobs.py': 'def run(event, context): return "ok"' },
        { handler: 'src/jobs.run' },
      ],
      ['a callable object', { 'main.py': 'class H:\n  def __call__(self, e, c): return "ok"\nhandler = H()' }, {}],
      [
        'a module beside it',
        { 'main.py': 'from helper import handler', 'helper.py': 'def handler(e, c): return "ok"' },
        {},
      ],
      [
        'modules named like the agent',
        { 'main.py': 'from wire import handler', 'wire.py': 'def handler(e, c): return "ok"' },
        {},
      ],
    ])('%s', async (_name, files, spec) => {
      await using running = await start(files, spec)
      expect(running.loaded).toEqual({ loaded: true })
      expect((await running.call()).text).toBe('ok')
    })
  })

  describe('says why code cannot be loaded', () => {
    test.each<[string, Record<string, string>, object]>([
      [
        'a syntax error',
        { 'main.py': 'a = 1\ndef broken(:\n' },
        { failure: { type: 'SyntaxError' }, diagnostic: { file: 'main.py', line: 2, excerpt: 'def broken(:' } },
      ],
      [
        'a syntax error in another module',
        { 'main.py': 'import other', 'other.py': '\n\n)' },
        { diagnostic: { file: 'other.py', line: 3 } },
      ],
      [
        'an exception',
        { 'main.py': 'a = 1\nb = a / 0\n' },
        { failure: { type: 'ZeroDivisionError' }, diagnostic: { file: 'main.py', line: 2, excerpt: 'b = a / 0' } },
      ],
      [
        'nothing to call',
        { 'main.py': 'x = 1' },
        { failure: { message: 'main must define a callable handler or app: it defines x' } },
      ],
      ['no entry', { 'a.py': '', 'b.py': '' }, { failure: { message: expect.stringMatching(/^no entry: expected/) } }],
      [
        'a file outside of the function',
        { '../x.py': '', 'main.py': '' },
        { failure: { message: expect.stringContaining('must be relative') } },
      ],
      [
        'a failed startup',
        {
          'main.py':
            'async def app(scope, receive, send):\n  await receive()\n  await send({"type": "lifespan.startup.failed", "message": "no database"})',
        },
        { failure: { message: 'no database' } },
      ],
    ])('%s', async (_name, files, expected) => {
      await using running = await start(files)
      expect(running.loaded).toMatchObject({ loaded: false, ...expected })
    })
  })

  test('hands a handler its event and context, and takes what it returns', async () => {
    await using running = await start({
      'main.py': `
import base64
def handler(event, context):
    if event == "none": return None
    if event == "bytes": return b"\\x00\\xff"
    if event == "pieces": return (piece for piece in ("a", b"b", "é"))
    if isinstance(event, dict) and "answer" in event: return event["answer"]
    return {"event": event, "name": context.function_name, "version": context.function_version,
            "attempt": context.attempt, "left": context.get_remaining_time_in_millis(), "cancelled": context.cancelled}
`,
    })
    const json = await running.call({ method: 'POST', body: '{"name":"Ada"}' })
    expect(json.head).toEqual({ status: 200, headers: [['content-type', 'application/json']] })
    const received = JSON.parse(json.text) as { left: number }
    expect(received).toMatchObject({
      event: { name: 'Ada' },
      name: 'tested',
      version: '3',
      attempt: 2,
      cancelled: false,
    })
    expect(received.left).toBeGreaterThan(0)
    expect(JSON.parse((await running.call({ body: 'not JSON' })).text)).toMatchObject({ event: 'not JSON' })
    expect(JSON.parse((await running.call()).text)).toMatchObject({ event: null })
    expect((await running.call({ body: '"none"' })).head).toEqual({ status: 204, headers: [] })
    expect([...(await running.call({ body: '"bytes"' })).bytes]).toEqual([0, 255])
    expect((await running.call({ body: '"pieces"' })).text).toBe('abé')
    const gateway = {
      statusCode: 201,
      headers: { 'X-A': 'b' },
      cookies: ['a=1', 'b=2'],
      body: 'aGk=',
      isBase64Encoded: true,
    }
    const answered = await running.call({ body: JSON.stringify({ answer: gateway }) })
    expect(answered.text).toBe('hi')
    expect(answered.head?.headers.slice(0, 3)).toEqual([
      ['x-a', 'b'],
      ['set-cookie', 'a=1'],
      ['set-cookie', 'b=2'],
    ])
  })

  test('runs calls of a plain handler at the same time, each with its own output', async () => {
    await using running = await start({
      'main.py': `
import logging, sys, threading, time
def handler(event, context):
    print("out", event)
    time.sleep(0.2)
    logging.warning("log %s", event)
    print("err", event, file=sys.stderr)
    return event
`,
    })
    const started = performance.now()
    const answers = await Promise.all(['1', '2', '3', '4'].map((body) => running.call({ body })))
    expect(performance.now() - started).toBeLessThan(700)
    for (const [index, { text, logs }] of answers.entries()) {
      const n = index + 1
      expect(text).toBe(String(n))
      expect(logs).toEqual([`stdout: out ${n}`, `stderr: WARNING:root:log ${n}`, `stderr: err ${n}`])
    }
  })

  test('streams bodies that are larger than the window both ways', async () => {
    await using running = await start({
      'main.py': `
async def app(scope, receive, send):
    assert scope["type"] == "http"
    await send({"type": "http.response.start", "status": 200, "headers": []})
    more = True
    while more:
        message = await receive()
        more = message.get("more_body", False)
        await send({"type": "http.response.body", "body": message["body"].upper(), "more_body": more})
`,
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

  test('gives an ASGI application its scope, its state and its startup', async () => {
    await using running = await start({
      'main.py': `
import json
async def app(scope, receive, send):
    if scope["type"] == "lifespan":
        assert (await receive())["type"] == "lifespan.startup"
        scope["state"]["database"] = "open"
        await send({"type": "lifespan.startup.complete"})
        await receive()
        return
    seen = {key: scope[key] for key in ("method", "scheme", "path", "root_path", "http_version", "server", "state")}
    seen["raw"] = scope["raw_path"].decode()
    seen["query"] = scope["query_string"].decode()
    seen["headers"] = [[k.decode(), v.decode()] for k, v in scope["headers"]]
    await send({"type": "http.response.start", "status": 200, "headers": [(b"Content-Type", b"application/json")]})
    await send({"type": "http.response.body", "body": json.dumps(seen).encode()})
`,
    })
    const { text, head } = await running.call({ target: '/a%20b/%C3%BC?q=1&r=%20', headers: [['x-a', 'b']] })
    expect(head?.headers).toEqual([['content-type', 'application/json']])
    expect(JSON.parse(text)).toEqual({
      method: 'GET',
      scheme: 'http',
      path: '/a b/ü',
      raw: '/a%20b/%C3%BC',
      query: 'q=1&r=%20',
      root_path: '',
      http_version: '1.1',
      server: ['test.local', 8787],
      state: { database: 'open' },
      headers: [['x-a', 'b']],
    })
  })

  test('cancels the task of an ASGI call, and tells a plain handler', async () => {
    await using asgi = await start({
      'main.py': `
import asyncio
seen = []
async def app(scope, receive, send):
    if scope["path"] == "/seen":
        await send({"type": "http.response.start", "status": 200, "headers": []})
        return await send({"type": "http.response.body", "body": repr(seen).encode()})
    try:
        await asyncio.sleep(30)
    except asyncio.CancelledError:
        seen.append("cancelled")
        raise
`,
    })
    const cancelled = { outcome: { kind: 'cancelled' } }
    expect(await asgi.call({ signal: AbortSignal.timeout(150) })).toMatchObject(cancelled)
    expect((await asgi.call({ target: '/seen' })).text).toBe("['cancelled']")
    await using plain = await start({
      'main.py': 'import time\ndef handler(event, context):\n  while not context.cancelled: time.sleep(0.01)',
    })
    expect(await plain.call({ signal: AbortSignal.timeout(150) })).toMatchObject(cancelled)
  })

  test('ends with the code of sys.exit, after its output', async () => {
    await using plain = await start({
      'main.py': 'import sys\ndef handler(e, c):\n  print("bye", end="")\n  sys.exit(4)',
    })
    expect(await plain.call()).toMatchObject({
      outcome: { kind: 'exited', detail: 'exit code 4' },
      logs: ['stdout: bye'],
    })
    await using asynchronous = await start({ 'main.py': 'import sys\nasync def handler(e, c):\n  sys.exit("sorry")' })
    expect(await asynchronous.call()).toMatchObject({
      outcome: { kind: 'exited', detail: 'exit code 1' },
      logs: ['stderr: sorry'],
    })
  })

  test('reports what a handler and a generator raised', async () => {
    await using running = await start({
      'main.py': `
def pieces():
    yield "first"
    raise KeyError("second")
def handler(event, context):
    if event: return pieces()
    raise ValueError("no event")
`,
    })
    const failed = await running.call()
    expect(failed.outcome).toMatchObject({ kind: 'failed', failure: { type: 'ValueError', message: 'no event' } })
    const stack = failed.outcome.kind === 'failed' ? failed.outcome.failure.stack : ''
    expect(stack).toContain('File "/fn/main.py", line 7, in handler')
    expect(stack).not.toContain('/opt/hearth')
    const broken = await running.call({ body: '1' })
    expect(broken).toMatchObject({ text: 'first', outcome: { kind: 'failed', failure: { type: 'KeyError' } } })
  })
})
