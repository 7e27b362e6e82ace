import { expect, test } from 'vitest'

import { respond } from '../memory.ts'
import { exchange, open, until } from '../raw.ts'
import { startGateway } from '../start.ts'

test.for([
  ['HEAD', 200, '\r\ncontent-length: 5\r\n'],
  ['GET', 204, undefined],
  ['GET', 304, undefined],
] as const)('the answer to %s with status %i has no body', async ([method, status, length]) => {
  await using gateway = await startGateway()
  await gateway.deploy('up')
  gateway.invoker.script = async (_invocation, sink) => respond(sink, status, 'hello')
  const answer = await exchange(gateway.port, `${method} /fn/up HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n`)
  const [head = '', body] = answer.split('\r\n\r\n')
  expect(head.startsWith(`HTTP/1.1 ${status} `)).toBe(true)
  expect(body).toBe('')
  if (length === undefined) expect(head.toLowerCase()).not.toContain('content-length')
  else expect(`${head.toLowerCase()}\r\n`).toContain(length)
})

test('a stream is seen event by event, its head before its first event', async () => {
  await using gateway = await startGateway()
  await gateway.deploy('sse')
  const turns = [Promise.withResolvers<void>(), Promise.withResolvers<void>(), Promise.withResolvers<void>()]
  gateway.invoker.script = async (_invocation, sink) => {
    sink.head({ status: 200, headers: [['content-type', 'text/event-stream']] }, undefined)
    for (const [index, turn] of turns.entries()) {
      await turn.promise
      await sink.chunk(Buffer.from(`data: ${index}\n\n`))
    }
    sink.end()
    return { kind: 'responded', status: 200 }
  }
  const response = await fetch(`${gateway.url}/fn/sse`)
  expect(response.headers.get('server-timing')).toBe('queue;dur=0, start;dur=0')
  const reader = (response.body as ReadableStream<Uint8Array>).getReader()
  for (const [index, turn] of turns.entries()) {
    turn.resolve()
    const { value } = await reader.read()
    expect(Buffer.from(value as Uint8Array).toString()).toBe(`data: ${index}\n\n`)
  }
  expect((await reader.read()).done).toBe(true)
})

test('a client that does not read makes the function wait', async () => {
  await using gateway = await startGateway()
  await gateway.deploy('flood')
  const full = Promise.withResolvers<void>()
  gateway.invoker.script = async (_invocation, sink, signal) => {
    sink.head({ status: 200, headers: [] }, undefined)
    while (!signal.aborted) {
      const wait = sink.chunk(Buffer.alloc(1024 * 1024))
      if (wait !== undefined) full.resolve()
      await wait
    }
    return { kind: 'cancelled' }
  }
  const socket = await open(gateway.port)
  socket.pause()
  socket.write('GET /fn/flood HTTP/1.1\r\nHost: h\r\n\r\n')
  await full.promise
  socket.destroy()
  await until(() => gateway.records.records.size === 1)
  expect([...gateway.records.records.values()][0]?.state).toBe('cancelled')
})

test('chunks that are not waited for share one wait', async () => {
  await using gateway = await startGateway()
  await gateway.deploy('flood')
  const waits = Promise.withResolvers<readonly unknown[]>()
  gateway.invoker.script = async (_invocation, sink, signal) => {
    sink.head({ status: 200, headers: [] }, undefined)
    waits.resolve(Array.from({ length: 20 }, () => sink.chunk(Buffer.alloc(1024 * 1024))))
    await new Promise((resolve) => signal.addEventListener('abort', resolve))
    return { kind: 'cancelled' }
  }
  const socket = await open(gateway.port)
  socket.pause()
  socket.write('GET /fn/flood HTTP/1.1\r\nHost: h\r\n\r\n')
  const later = (await waits.promise).slice(1)
  expect(later[0]).toBeInstanceOf(Promise)
  expect(new Set(later).size).toBe(1)
  socket.destroy()
})

test('a failure in mid-stream cuts the connection', async () => {
  await using gateway = await startGateway()
  await gateway.deploy('bad')
  gateway.invoker.script = async (_invocation, sink) => {
    sink.head({ status: 200, headers: [] }, undefined)
    await sink.chunk(Buffer.from('half'))
    return { kind: 'timed-out', limitMs: 50 }
  }
  const answer = await exchange(gateway.port, 'GET /fn/bad HTTP/1.1\r\nHost: h\r\n\r\n')
  expect(answer).toContain('half')
  expect(answer).not.toMatch(/0\r\n\r\n$/)
})

test.for([
  ['fewer', ['12345'], '10'],
  ['more', ['12345', '67890'], '7'],
] as const)('a stream with %s bytes than it declares is cut', async ([, chunks, declared]) => {
  await using gateway = await startGateway()
  await gateway.deploy('bad')
  gateway.invoker.script = async (_invocation, sink) => {
    sink.head({ status: 200, headers: [['content-length', declared]] }, undefined)
    for (const chunk of chunks) await sink.chunk(Buffer.from(chunk))
    sink.end()
    return { kind: 'responded', status: 200 }
  }
  const response = await fetch(`${gateway.url}/fn/bad`)
  expect(response.headers.get('content-length')).toBe(declared)
  await expect(response.text()).rejects.toThrow()
})

test.for([
  ['a line break in a header', { status: 200, headers: [['x', 'a\r\nb']] }],
  ['a bad header name', { status: 200, headers: [['x y', 'a']] }],
  ['status 99', { status: 99, headers: [] }],
  ['status 101', { status: 101, headers: [] }],
  ['status 1000', { status: 1000, headers: [] }],
] as const)('%s in a response is the failure of the function', async ([, head]) => {
  await using gateway = await startGateway()
  await gateway.deploy('bad')
  gateway.invoker.script = async (_invocation, sink) => {
    sink.head(head, Buffer.from('x'))
    sink.end()
    return { kind: 'responded', status: head.status }
  }
  const response = await fetch(`${gateway.url}/fn/bad`)
  expect(response.status).toBe(500)
  expect(response.headers.get('hearth-error')).toBe('function-failed')
  expect(gateway.faults).toEqual([])
})

test('a client that goes away cancels the call', async () => {
  await using gateway = await startGateway()
  await gateway.deploy('slow')
  const cancelled = Promise.withResolvers<unknown>()
  gateway.invoker.script = (_invocation, _sink, signal) =>
    new Promise((resolve) => {
      signal.addEventListener('abort', () => {
        cancelled.resolve(signal.reason)
        resolve({ kind: 'cancelled' })
      })
    })
  const socket = await open(gateway.port)
  socket.write('GET /fn/slow HTTP/1.1\r\nHost: h\r\n\r\n')
  await until(() => gateway.invoker.invocations.length === 1)
  socket.destroy()
  expect(await cancelled.promise).toMatchObject({ code: 'cancelled' })
  await until(() => gateway.records.records.size === 1)
  expect([...gateway.records.records.values()][0]?.state).toBe('cancelled')
})

test('requests that come together on a connection are answered in their order', async () => {
  await using gateway = await startGateway()
  await gateway.deploy('up')
  const late = Promise.withResolvers<void>()
  gateway.invoker.script = async ({ request: { target } }, sink) => {
    if (target === '/1') await late.promise
    else late.resolve()
    return respond(sink, 200, target)
  }
  const answer = await exchange(
    gateway.port,
    'GET /fn/up/1 HTTP/1.1\r\nHost: h\r\n\r\nGET /fn/up/2 HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n',
  )
  expect([...answer.matchAll(/\r\n\r\n(\/\d)/g)].map(([, body]) => body)).toEqual(['/1', '/2'])
})
