import { afterAll, beforeAll, expect, test } from 'vitest'

import type { InvocationId } from '#core/ids'
import { startTestRedis, type TestRedis } from '#test/redis'

import { startOnRedis, type OnRedis } from '../on-redis.ts'
import { startGateway } from '../start.ts'
import { open, readAll } from '../raw.ts'
import { AUTH } from '../start.ts'

let redis: TestRedis
beforeAll(async () => (redis = await startTestRedis()))
afterAll(() => redis[Symbol.asyncDispose]())

interface Batch {
  readonly accepted: number
  readonly rejected: number
  readonly invocations: { id?: string; error?: { code: string; detail: string } }[]
}

async function send(gateway: { url: string }, lines: readonly unknown[]): Promise<{ status: number; json: Batch }> {
  const body = lines.map((line) => (typeof line === 'string' ? line : JSON.stringify(line))).join('\n')
  const headers = { ...AUTH, 'content-type': 'application/x-ndjson' }
  const url = `${gateway.url}/v1/functions/up/invocations/batch`
  const response = await fetch(url, { method: 'POST', headers, body })
  return { status: response.status, json: (await response.json()) as Batch }
}

async function onRedis(prefix: string): Promise<OnRedis> {
  const gateway = await startOnRedis(redis.url, { prefix })
  await gateway.deploy('up')
  return gateway
}

test('a line that is no UTF-8 is refused, for its body would be another one', async () => {
  await using gateway = await onRedis('utf8')
  const body = Buffer.concat([
    Buffer.from('{"body":"'),
    Buffer.from([0xff]),
    Buffer.from('"}\n{"body":"Zoë"}\r\n \r\n'),
  ])
  const url = `${gateway.url}/v1/functions/up/invocations/batch`
  const json = (await (await fetch(url, { method: 'POST', headers: AUTH, body })).json()) as Batch
  expect(json).toMatchObject({ accepted: 1, rejected: 1 })
  expect(json.invocations[0]?.error?.detail).toContain('a line must be UTF-8')
})

test('every line is an invocation with its own options, in the lane and in the records', async () => {
  await using gateway = await onRedis('all')
  const { status, json } = await send(gateway, [
    { body: 'one', headers: { 'Content-Type': 'text/plain', 'Hearth-Start': 'x', connection: 'close' }, priority: 3 },
    { bodyBase64: '/wCA', path: '/two?x=1', maxAttempts: 1 },
    { delayMs: 60_000 },
    {},
  ])
  expect(status).toBe(200)
  expect(json).toMatchObject({ accepted: 4, rejected: 0 })
  const ids = json.invocations.map(({ id }) => id as InvocationId)
  expect(await gateway.store.lanes.state('up' as never)).toMatchObject({ waiting: 3, delayed: 1 })
  const records = await Promise.all(ids.map((id) => gateway.store.records.get(id)))
  expect(records.map((record) => record?.request)).toEqual([
    { method: 'POST', target: '/', bodyBytes: 3 },
    { method: 'POST', target: '/two?x=1', bodyBytes: 3 },
    { method: 'POST', target: '/', bodyBytes: 0 },
    { method: 'POST', target: '/', bodyBytes: 0 },
  ])
  expect(records[2]?.notBefore).toBeGreaterThan(Date.now())
  const claim = await gateway.store.lanes.take('up' as never)
  expect(claim?.invocation).toMatchObject({ id: ids[0], priority: 3 })
  expect(claim?.invocation.request.headers).toEqual([['content-type', 'text/plain']])
  expect(Buffer.from(claim?.invocation.request.body ?? []).toString()).toBe('one')
  await claim?.complete()
})

test('a line that is wrong is answered for itself', async () => {
  await using gateway = await startGateway()
  await gateway.deploy('up')
  const lines: [unknown, string][] = [
    ['not json', 'a line must be a JSON object: received "not json"'],
    ['[1]', 'a line must be a JSON object'],
    [{ body: 1 }, 'body must be text: received 1'],
    [{ bodyBase64: '!' }, 'bodyBase64 must be base64'],
    [{ body: '', bodyBase64: '' }, 'expected body or bodyBase64: received both'],
    [{ headers: [] }, 'headers must be an object of texts'],
    [{ headers: { x: 'a\nb' } }, 'headers must be an object of texts that can be sent'],
    [{ headers: { 'a b': 'x' } }, 'headers must be an object of texts that can be sent'],
    [{ headers: { x: 1 } }, 'headers must be an object of texts that can be sent'],
    [{ priority: 11 }, 'priority must be an integer in [0, 9]: received 11'],
    [{ delay: 1 }, 'unknown option "delay"'],
    [{ idempotencyKey: '' }, 'Idempotency-Key must be 1 to 255'],
    [{ idempotencyKey: 1 }, 'idempotencyKey must be text: received 1'],
    [{ body: 'x'.repeat(65_537) }, 'a body has at most 65536 bytes (HEARTH_MAX_ASYNC_BODY_BYTES): received 65537'],
  ]
  const { json } = await send(gateway, [{ body: 'first' }, ...lines.map(([line]) => line), '', { body: 'last' }])
  expect(json).toMatchObject({ accepted: 2, rejected: lines.length })
  expect(gateway.lanes.added.map(({ request }) => Buffer.from(request.body).toString())).toEqual(['first', 'last'])
  for (const [index, [, detail]] of lines.entries()) {
    expect(json.invocations[index + 1]?.error?.detail).toContain(detail)
  }
  expect(json.invocations.at(-1)?.id).toBe(gateway.lanes.added[1]?.id)
})

test('keys make a batch that is sent again the same one', async () => {
  await using gateway = await onRedis('keys')
  const lines = [
    { body: 'a', idempotencyKey: 'a' },
    { body: 'b', idempotencyKey: 'b' },
    { body: 'b', idempotencyKey: 'b' },
    { body: 'c' },
  ]
  const first = await send(gateway, lines)
  expect(first.json).toMatchObject({ accepted: 4, rejected: 0 })
  const [a, b, again, c] = first.json.invocations.map(({ id }) => id)
  expect(again).toBe(b)
  expect(new Set([a, b, c]).size).toBe(3)
  const second = await send(gateway, [...lines.slice(0, 3), { body: 'other', idempotencyKey: 'a' }])
  expect(second.json.invocations.map(({ id, error }) => id ?? error?.code)).toEqual([a, b, b, 'key-reused'])
  expect(await gateway.store.lanes.state('up' as never)).toMatchObject({ waiting: 3 })
})

test('one that breaks off has queued nothing', async () => {
  await using gateway = await startGateway()
  await gateway.deploy('up')
  const socket = await open(gateway.port)
  const head = `POST /v1/functions/up/invocations/batch HTTP/1.1\r\nhost: x\r\nauthorization: ${AUTH.authorization}\r\n`
  socket.write(`${head}content-length: 1000\r\n\r\n{"body":"one"}\n{"body":"two"}\n`)
  socket.end()
  await readAll(socket)
  expect(gateway.lanes.added).toEqual([])
  expect(gateway.faults).toEqual([])
})

test.for([
  ['too many lines', Array.from({ length: 101 }, () => '{}'), 413, 'at most 100 lines (HEARTH_MAX_BATCH)'],
  ['no line', ['', '  '], 400, 'expected a line of JSON for each call'],
  ['a line without end', ['x'.repeat(400_000)], 413, 'HEARTH_MAX_ASYNC_BODY_BYTES'],
  ['too much', Array.from({ length: 90 }, () => `{"body":"${'x'.repeat(20_000)}"}`), 413, 'HEARTH_MAX_BODY_BYTES'],
] as const)('%s: all of it is refused', async ([, lines, status, detail]) => {
  await using gateway = await startGateway()
  await gateway.deploy('up')
  const answer = await send(gateway, lines)
  expect(answer).toMatchObject({ status, json: { detail: expect.stringContaining(detail) as string } })
  expect(gateway.lanes.added).toEqual([])
})

test('when no line could be queued the whole is a 503', async () => {
  await using gateway = await startGateway()
  await gateway.deploy('up')
  gateway.lanes.refuse = new Error('connection lost')
  expect(await send(gateway, [{}, {}])).toMatchObject({ status: 503, json: { code: 'store-unavailable' } })
  expect([...gateway.records.records.values()].map(({ state }) => state)).toEqual(['failed', 'failed'])
})

test('ten thousand go in at once', async () => {
  await using gateway = await startOnRedis(redis.url, { prefix: 'many', options: { maxBatch: 10_000 } })
  await gateway.deploy('up')
  const { json } = await send(
    gateway,
    Array.from({ length: 10_000 }, (_, index) => ({ body: `number ${index}` })),
  )
  expect(json).toMatchObject({ accepted: 10_000, rejected: 0 })
  expect(new Set(json.invocations.map(({ id }) => id)).size).toBe(10_000)
  expect(await gateway.store.lanes.state('up' as never)).toMatchObject({ waiting: 10_000 })
})
