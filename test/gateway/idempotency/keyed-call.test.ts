import { afterAll, beforeAll, expect, test } from 'vitest'

import { PlatformError } from '#core/errors'
import { startTestRedis, type TestRedis } from '#test/redis'

import { respond } from '../memory.ts'
import { startOnRedis, type OnRedis } from '../on-redis.ts'
import { exchange, until } from '../raw.ts'

let redis: TestRedis
beforeAll(async () => (redis = await startTestRedis()))
afterAll(() => redis[Symbol.asyncDispose]())

interface Answer {
  readonly status: number
  readonly body: string
  readonly headers: Record<string, string>
  readonly replay: boolean
}

async function call({ url }: OnRedis, key: string, path = '/fn/pay', init: RequestInit = {}): Promise<Answer> {
  const headers = { 'idempotency-key': key, ...(init.headers as Record<string, string>) }
  const response = await fetch(url + path, { method: 'POST', body: '10 €', ...init, headers })
  const body = Buffer.from(await response.arrayBuffer()).toString('latin1')
  return {
    status: response.status,
    body,
    headers: Object.fromEntries(response.headers),
    replay: response.headers.get('hearth-idempotent-replay') === 'true',
  }
}

async function started(prefix: string, settings: Parameters<typeof startOnRedis>[1] = {}): Promise<OnRedis> {
  const gateway = await startOnRedis(redis.url, { prefix, ...settings })
  await gateway.deploy('pay')
  return gateway
}

test('sent again with the key it is answered as before, and not done again', async () => {
  await using gateway = await started('again')
  const bytes = Uint8Array.from([0, 255, 128, 10, 13])
  gateway.invoker.script = async (_invocation, sink) => {
    const headers = [
      ['content-type', 'application/octet-stream'],
      ['set-cookie', 'a=1'],
      ['set-cookie', 'b=2'],
      ['x-once', 'yes'],
    ] as const
    sink.head({ status: 201, headers }, bytes)
    sink.end()
    return { kind: 'responded', status: 201 }
  }
  const first = await call(gateway, 'k1')
  const second = await call(gateway, 'k1')
  expect(first).toMatchObject({ status: 201, replay: false, body: Buffer.from(bytes).toString('latin1') })
  expect(second).toMatchObject({ status: 201, replay: true, body: first.body })
  const kept = ['content-type', 'set-cookie', 'x-once', 'hearth-invocation-id', 'hearth-version', 'content-length']
  for (const name of kept) expect(second.headers[name]).toBe(first.headers[name])
  expect(gateway.invoker.invocations).toHaveLength(1)
  // The function sees the key: it may hand it on.
  expect(gateway.invoker.invocations[0]?.request.headers).toContainEqual(['idempotency-key', 'k1'])
  expect((await call(gateway, 'k2')).replay).toBe(false)
})

test('a response that came in parts is kept whole', async () => {
  await using gateway = await started('parts')
  gateway.invoker.script = async (_invocation, sink) => {
    sink.head({ status: 200, headers: [] }, undefined)
    for (const part of ['one ', 'two ', 'three']) await sink.chunk(Buffer.from(part))
    sink.end()
    return { kind: 'responded', status: 200 }
  }
  expect(await call(gateway, 'k')).toMatchObject({ body: 'one two three', replay: false })
  expect(await call(gateway, 'k')).toMatchObject({ body: 'one two three', replay: true })
})

test.for([
  ['another body', '/fn/pay', { body: '20 €' }],
  ['another path', '/fn/pay/other', {}],
  ['another method', '/fn/pay', { method: 'PUT' }],
] as const)('the key with %s is a 409', async ([what, path, init]) => {
  await using gateway = await started(`reused ${what}`)
  await call(gateway, 'k')
  const answer = await call(gateway, 'k', path, init)
  expect(answer).toMatchObject({ status: 409, headers: { 'hearth-error': 'key-reused' } })
  expect(gateway.invoker.invocations).toHaveLength(1)
})

test('duplicates at the same time wait for the first, on another instance too', async () => {
  await using one = await started('concurrent')
  await using two = await startOnRedis(redis.url, { prefix: 'concurrent' })
  const held = Promise.withResolvers<void>()
  one.invoker.script = async (_invocation, sink) => {
    await held.promise
    return respond(sink, 200, 'paid')
  }
  const first = call(one, 'k')
  await until(() => one.invoker.invocations.length === 1)
  const others = [call(one, 'k'), call(two, 'k'), call(two, 'k')]
  held.resolve()
  expect(await first).toMatchObject({ body: 'paid', replay: false })
  for (const other of await Promise.all(others)) expect(other).toMatchObject({ body: 'paid', replay: true })
  expect(one.invoker.invocations.length + two.invoker.invocations.length).toBe(1)
})

test('a failure of the function is its answer', async () => {
  await using gateway = await started('fails')
  gateway.invoker.script = async () => ({ kind: 'failed', failure: { type: 'Error', message: 'no' } })
  const first = await call(gateway, 'k')
  const second = await call(gateway, 'k')
  expect(first).toMatchObject({ status: 500, headers: { 'hearth-error': 'function-failed' }, replay: false })
  expect(second).toMatchObject({ status: 500, body: first.body, replay: true })
  expect(gateway.invoker.invocations).toHaveLength(1)
})

test('what may pass is not kept: the next one is the first again', async () => {
  await using gateway = await started('passes')
  const { script } = gateway.invoker
  gateway.invoker.script = () => Promise.reject(new PlatformError('queue-full', { detail: 'full', retryAfterS: 1 }))
  expect((await call(gateway, 'k')).status).toBe(429)
  gateway.invoker.script = async () => ({ kind: 'exited', detail: 'exit code 7' })
  expect((await call(gateway, 'k')).status).toBe(502)
  gateway.invoker.script = script
  expect(await call(gateway, 'k')).toMatchObject({ status: 200, replay: false })
  expect(await call(gateway, 'k')).toMatchObject({ status: 200, replay: true })
})

test('a client that goes away does not end the call, and finds the answer when it comes back', async () => {
  await using gateway = await started('leaves')
  const held = Promise.withResolvers<void>()
  let stopped = false
  gateway.invoker.script = async (_invocation, sink, signal) => {
    signal.addEventListener('abort', () => (stopped = true))
    await held.promise
    return respond(sink, 200, 'paid')
  }
  const leaving = new AbortController()
  const first = call(gateway, 'k', '/fn/pay', { signal: leaving.signal })
  await until(() => gateway.invoker.invocations.length === 1)
  leaving.abort()
  await expect(first).rejects.toThrow()
  const second = call(gateway, 'k')
  held.resolve()
  expect(await second).toMatchObject({ status: 200, body: 'paid', replay: true })
  expect(stopped).toBe(false)
  expect(gateway.invoker.invocations).toHaveLength(1)
})

test('a client that goes away while it waits for another one leaves that one alone', async () => {
  await using gateway = await started('waits')
  const held = Promise.withResolvers<void>()
  gateway.invoker.script = async (_invocation, sink) => {
    await held.promise
    return respond(sink, 200, 'paid')
  }
  const first = call(gateway, 'k')
  await until(() => gateway.invoker.invocations.length === 1)
  const leaving = new AbortController()
  const second = call(gateway, 'k', '/fn/pay', { signal: leaving.signal })
  leaving.abort()
  await expect(second).rejects.toThrow()
  held.resolve()
  expect(await first).toMatchObject({ status: 200, body: 'paid' })
})

test('a response over the limit goes out once, and after that the key says that it was done', async () => {
  await using gateway = await started('large', { options: { maxResultBytes: 1000 } })
  gateway.invoker.script = async (_invocation, sink) => respond(sink, 200, 'x'.repeat(1001))
  const first = await call(gateway, 'k')
  expect(first).toMatchObject({ status: 200, replay: false })
  expect(first.body).toHaveLength(1001)
  const second = await call(gateway, 'k')
  expect(second).toMatchObject({ status: 409, headers: { 'hearth-error': 'response-not-kept' }, replay: true })
  const detail = expect.stringContaining('at most 1000 bytes (HEARTH_MAX_RESULT_BYTES): this one had 1001') as string
  expect(JSON.parse(second.body)).toMatchObject({ detail, invocation: first.headers['hearth-invocation-id'] })
  expect(gateway.invoker.invocations).toHaveLength(1)
})

test('a response that broke off is not taken for a whole one', async () => {
  await using gateway = await started('breaks')
  gateway.invoker.script = async (_invocation, sink) => {
    sink.head({ status: 200, headers: [] }, undefined)
    await sink.chunk(Buffer.from('half'))
    return { kind: 'failed', failure: { type: 'Error', message: 'no' } }
  }
  await expect(call(gateway, 'k')).rejects.toThrow()
  const second = await call(gateway, 'k')
  expect(second).toMatchObject({ status: 409, headers: { 'hearth-error': 'response-not-kept' } })
  expect(JSON.parse(second.body)).toMatchObject({ detail: expect.stringContaining('it broke off') as string })
})

test('a response that is not HTTP is a failure, both times', async () => {
  await using gateway = await started('odd')
  gateway.invoker.script = async (_invocation, sink) => {
    sink.head({ status: 200, headers: [['x', 'a\nb']] }, Buffer.from('x'))
    sink.end()
    return { kind: 'responded', status: 200 }
  }
  const first = await call(gateway, 'k')
  expect(first).toMatchObject({ status: 500, headers: { 'hearth-error': 'function-failed' } })
  expect(await call(gateway, 'k')).toMatchObject({ status: 500, body: first.body, replay: true })
})

test('a body over the limit of calls with a key is a 413 that names it', async () => {
  await using gateway = await started('body', { options: { maxAsyncBodyBytes: 1024 } })
  expect(await call(gateway, 'k', '/fn/pay', { body: 'x'.repeat(1025) })).toMatchObject({ status: 413 })
  expect((await call(gateway, 'k', '/fn/pay', { body: 'x'.repeat(1024) })).status).toBe(200)
  const chunked = await exchange(
    Number(new URL(gateway.url).port),
    `POST /fn/pay HTTP/1.1\r\nhost: x\r\nidempotency-key: c\r\ntransfer-encoding: chunked\r\nconnection: close\r\n\r\n401\r\n${'x'.repeat(1025)}\r\n0\r\n\r\n`,
  )
  expect(chunked).toContain('413')
  expect(chunked).toContain('HEARTH_MAX_ASYNC_BODY_BYTES')
})

test('answers without a body stay without one', async () => {
  await using gateway = await started('bodiless')
  gateway.invoker.script = async (_invocation, sink) => respond(sink, 204, '')
  expect(await call(gateway, 'k')).toMatchObject({ status: 204, body: '', replay: false })
  expect(await call(gateway, 'k')).toMatchObject({ status: 204, body: '', replay: true })
  gateway.invoker.script = async (_invocation, sink) => {
    sink.head({ status: 200, headers: [['content-length', '42']] }, new Uint8Array(0))
    sink.end()
    return { kind: 'responded', status: 200 }
  }
  const head = { method: 'HEAD', body: null }
  expect(await call(gateway, 'h', '/fn/pay', head)).toMatchObject({
    replay: false,
    headers: { 'content-length': '42' },
  })
  expect(await call(gateway, 'h', '/fn/pay', head)).toMatchObject({ replay: true, headers: { 'content-length': '42' } })
})

test('the owner dies: whoever waits makes the call when its lease is over', async () => {
  const dying = await started('dies', { leaseMs: 300, options: { drainMs: 10 } })
  await using gateway = await startOnRedis(redis.url, { prefix: 'dies', leaseMs: 300 })
  dying.invoker.script = () => new Promise(() => {})
  const lost = call(dying, 'k').catch(() => {})
  await until(() => dying.invoker.invocations.length === 1)
  const waiting = call(gateway, 'k')
  // As a crash: nothing is told to anyone.
  await dying.store[Symbol.asyncDispose]()
  expect(await waiting).toMatchObject({ status: 200, body: 'hello', replay: false })
  await dying.gateway[Symbol.asyncDispose]()
  await lost
})

test('a cancelled call is not kept', async () => {
  await using gateway = await started('cancelled')
  const { script } = gateway.invoker
  gateway.invoker.script = (_invocation, _sink, signal) =>
    new Promise((resolve) => signal.addEventListener('abort', () => resolve({ kind: 'cancelled' })))
  const first = call(gateway, 'k')
  await until(() => gateway.invoker.invocations.length === 1)
  const { status } = await gateway.call('POST', `/v1/invocations/${gateway.invoker.invocations[0]!.id}/cancel`)
  expect(status).toBe(202)
  expect(await first).toMatchObject({ status: 499, headers: { 'hearth-error': 'cancelled' } })
  gateway.invoker.script = script
  expect(await call(gateway, 'k')).toMatchObject({ status: 200, replay: false })
})

test('a drain that takes too long gives the key back', async () => {
  const gateway = await started('drains', { options: { drainMs: 50 } })
  await using other = await startOnRedis(redis.url, { prefix: 'drains' })
  gateway.invoker.script = (_invocation, _sink, signal) =>
    new Promise((resolve) => signal.addEventListener('abort', () => resolve({ kind: 'cancelled' })))
  const first = call(gateway, 'k')
  await until(() => gateway.invoker.invocations.length === 1)
  await gateway[Symbol.asyncDispose]()
  expect(await first).toMatchObject({ status: 503, headers: { 'hearth-error': 'shutting-down' } })
  expect(await call(other, 'k')).toMatchObject({ status: 200, replay: false })
})

test('without Redis a call with a key is a 503, one without goes on', async () => {
  await using own = await startTestRedis()
  await using gateway = await startOnRedis(own.url)
  await gateway.deploy('pay')
  await expect.poll(() => gateway.invoker.retired).toContainEqual(['pay', 1])
  expect((await fetch(`${gateway.url}/fn/pay`)).status).toBe(200)
  await own.kill()
  expect(await call(gateway, 'k')).toMatchObject({ status: 503, headers: { 'hearth-error': 'store-unavailable' } })
  expect((await fetch(`${gateway.url}/fn/pay`)).status).toBe(200)
  expect(gateway.invoker.invocations).toHaveLength(2)
  await own.restart()
})
