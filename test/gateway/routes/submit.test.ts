import { afterAll, beforeAll, expect, test } from 'vitest'

import { systemClock } from '#core/clock'
import { PlatformError } from '#core/errors'
import { startTestRedis, type TestRedis } from '#test/redis'

import { startOnRedis, type OnRedis } from '../on-redis.ts'
import { AUTH, startGateway } from '../start.ts'
import type { Started } from '../start.ts'

let redis: TestRedis
beforeAll(async () => (redis = await startTestRedis()))
afterAll(() => redis[Symbol.asyncDispose]())

const SUBMIT = '/v1/functions/up/invocations'
const UNAVAILABLE = new PlatformError('store-unavailable', { detail: 'down' })

function submit({ url }: Started | OnRedis, query = '', init: RequestInit = {}): Promise<Response> {
  const headers = { ...AUTH, ...(init.headers as Record<string, string>) }
  return fetch(`${url}${SUBMIT}${query}`, { method: 'POST', body: 'x', ...init, headers })
}

test('a call for later is in its lane, with a record, before the 202', async () => {
  await using gateway = await startGateway()
  await gateway.deploy('up', '?maxAttempts=5')
  const response = await submit(gateway, '?path=/a%3Fb=1', {
    body: 'later',
    headers: { 'x-one': '1', 'content-type': 'text/plain' },
  })
  expect(response.status).toBe(202)
  const accepted = (await response.json()) as { id: string }
  expect(accepted).toMatchObject({ function: 'up', version: 1, state: 'queued' })
  expect(response.headers.get('location')).toBe(`/v1/invocations/${accepted.id}`)
  const [queued] = gateway.lanes.added
  expect(queued).toMatchObject({ id: accepted.id, function: 'up', version: 1, retry: { maxAttempts: 5 } })
  expect(queued?.request).toMatchObject({ method: 'POST', target: '/a?b=1', origin: gateway.url })
  expect(Buffer.from(queued?.request.body ?? []).toString()).toBe('later')
  expect(queued?.request.headers).toContainEqual(['x-one', '1'])
  expect(queued?.request.headers.map(([name]) => name)).not.toContain('authorization')
  const record = await fetch(`${gateway.url}/v1/invocations/${accepted.id}`, { headers: AUTH })
  expect(await record.json()).toMatchObject({
    id: accepted.id,
    state: 'queued',
    trigger: 'async',
    request: { method: 'POST', target: '/a?b=1', bodyBytes: 5 },
    attempts: [],
  })
})

test('a function that is not there is a 404 before anything is queued', async () => {
  await using gateway = await startGateway()
  const response = await fetch(`${gateway.url}/v1/functions/nope/invocations`, {
    method: 'POST',
    headers: AUTH,
    body: 'x',
  })
  expect(response.status).toBe(404)
  expect(gateway.lanes.added).toEqual([])
  expect(gateway.records.records.size).toBe(0)
})

test('an empty body is an empty body', async () => {
  await using gateway = await startGateway()
  await gateway.deploy('up')
  expect((await submit(gateway, '', { body: '' })).status).toBe(202)
  expect(gateway.lanes.added[0]?.request).toMatchObject({ target: '/', body: new Uint8Array(0) })
})

test('a body over the limit of async calls is a 413 that names it', async () => {
  await using gateway = await startGateway()
  await gateway.deploy('up')
  const response = await submit(gateway, '', { body: Buffer.alloc(100_000) })
  expect(response.status).toBe(413)
  const detail = expect.stringContaining('HEARTH_MAX_ASYNC_BODY_BYTES') as string
  expect(await response.json()).toMatchObject({ code: 'payload-too-large', limit: 65_536, detail })
})

test.for(['x', '/a b', '//\r\n', '/ä'])('the path %j is refused', async (path) => {
  await using gateway = await startGateway()
  await gateway.deploy('up')
  expect((await submit(gateway, `?path=${encodeURIComponent(path)}`)).status).toBe(400)
})

test('options in the query win over the spec', async () => {
  await using gateway = await startGateway()
  await gateway.deploy('up', '?maxAttempts=5&retryDelayMs=100&maxAgeMs=9000')
  const before = Date.now()
  await submit(gateway)
  await submit(gateway, '?delayMs=60000&priority=7&maxAgeMs=1000&maxAttempts=1&retryBackoff=fixed&retryDelayMs=5')
  const [plain, chosen] = gateway.lanes.added
  expect(plain).toMatchObject({ priority: 0, retry: { maxAttempts: 5, backoff: 'exponential', delayMs: 100 } })
  expect(plain).not.toHaveProperty('notBefore')
  expect((plain?.expiresAt ?? 0) - (plain?.acceptedAt ?? 0)).toBe(9000)
  expect(chosen).toMatchObject({ priority: 7, retry: { maxAttempts: 1, backoff: 'fixed', delayMs: 5 } })
  expect(chosen?.notBefore).toBeGreaterThanOrEqual(before + 60_000)
  // What is to wait does not become too old by that.
  expect((chosen?.expiresAt ?? 0) - (chosen?.notBefore ?? 0)).toBe(1000)
})

test.for([
  ['2100-01-01T00:00:00Z', Date.UTC(2100, 0, 1)],
  ['2100-01-01T02:00:00.5+02:00', Date.UTC(2100, 0, 1) + 500],
  ['4102444800000', 4_102_444_800_000],
] as const)('runAt=%s is a time', async ([runAt, at]) => {
  await using gateway = await startGateway({}, { ...systemClock, now: () => Date.UTC(2099, 11, 1) })
  await gateway.deploy('up')
  const response = await submit(gateway, `?runAt=${encodeURIComponent(runAt)}`)
  expect(await response.json()).toMatchObject({ notBefore: at })
  expect(gateway.lanes.added[0]?.notBefore).toBe(at)
})

test('a time that is over is now', async () => {
  await using gateway = await startGateway()
  await gateway.deploy('up')
  expect((await submit(gateway, '?runAt=2020-01-01T00:00:00Z')).status).toBe(202)
  expect(gateway.lanes.added[0]).not.toHaveProperty('notBefore')
})

test.for([
  ['delayMs=-1', 'delayMs must be an integer in [0, 31536000000]: received "-1"'],
  ['delayMs=1&runAt=4102444800000', 'runAt must be given without delayMs'],
  ['runAt=tomorrow', 'runAt must be a time as RFC 3339'],
  ['runAt=2026-02-29T00:00:00Z', 'runAt must be a time as RFC 3339'],
  ['runAt=4102444800000', 'runAt must be at most 365 days'],
  ['priority=10', 'priority must be an integer in [0, 9]'],
  ['retryBackoff=random', 'retryBackoff must be one of exponential, fixed'],
  ['retryDelayMs=400000', 'retryDelayMs must be at most retryMaxDelayMs (300000)'],
  ['priorty=1', 'unknown option "priorty": did you mean priority?'],
  ['priority=1&priority=2', 'priority must be an integer in [0, 9]: received ["1","2"]'],
] as const)('%s is refused', async ([query, detail]) => {
  await using gateway = await startGateway()
  await gateway.deploy('up')
  const response = await submit(gateway, `?${query}`)
  expect(response.status).toBe(400)
  expect(((await response.json()) as { detail: string }).detail).toContain(detail)
  expect(gateway.lanes.added).toEqual([])
})

test('a lane that has it counts, whatever became of the record', async () => {
  await using gateway = await startGateway()
  await gateway.deploy('up')
  gateway.records.down = UNAVAILABLE
  expect((await submit(gateway)).status).toBe(202)
})

test('an add whose answer is lost is looked for: it is there, so it is accepted', async () => {
  await using gateway = await startGateway()
  await gateway.deploy('up')
  gateway.lanes.lost = new Error('connection lost')
  const response = await submit(gateway)
  expect(response.status).toBe(202)
  expect(gateway.lanes.added.map(({ id }) => id)).toEqual([((await response.json()) as { id: string }).id])
})

test('an add that has certainly failed is a 503, and the record says so', async () => {
  await using gateway = await startGateway()
  await gateway.deploy('up')
  gateway.lanes.refuse = new Error('out of memory')
  const response = await submit(gateway)
  expect(response.status).toBe(503)
  const problem = (await response.json()) as object
  expect(problem).toMatchObject({ code: 'store-unavailable', retryable: true })
  expect(problem).not.toHaveProperty('invocation')
  expect([...gateway.records.records.values()]).toMatchObject([
    { state: 'failed', error: { code: 'store-unavailable' } },
  ])
})

test('when it cannot be known, the 503 says so, with the id', async () => {
  await using gateway = await startGateway()
  await gateway.deploy('up')
  gateway.lanes.down = new Error('connection lost')
  const response = await submit(gateway)
  expect(response.status).toBe(503)
  const [record] = gateway.records.records.values()
  const detail = expect.stringContaining(`it may run, as ${record?.id}`) as string
  expect(await response.json()).toMatchObject({ code: 'store-unavailable', invocation: record?.id, detail })
})

test('with a key, sending it again after a 503 queues it once, whatever had happened', async () => {
  await using gateway = await startGateway()
  await gateway.deploy('up')
  const send = (): Promise<Response> => submit(gateway, '', { headers: { 'idempotency-key': 'order-1' } })
  // It was queued, and nobody could say so.
  gateway.lanes.lost = new Error('connection lost')
  gateway.lanes.blind = true
  expect((await send()).status).toBe(503)
  expect(gateway.lanes.added).toHaveLength(1)
  gateway.lanes.lost = undefined
  gateway.lanes.blind = false
  const accepted = await send()
  expect(accepted.status).toBe(202)
  expect(accepted.headers.get('hearth-idempotent-replay')).toBeNull()
  const { id } = (await accepted.json()) as { id: string }
  expect(gateway.lanes.added.map((invocation) => invocation.id)).toEqual([id])
  const again = await send()
  expect(again.headers.get('hearth-idempotent-replay')).toBe('true')
  expect(await again.json()).toMatchObject({ id })
})

test('with a key, one that had begun by the time of the second request is not queued again', async () => {
  await using gateway = await startGateway()
  await gateway.deploy('up')
  const send = (): Promise<Response> => submit(gateway, '', { headers: { 'idempotency-key': 'order-1' } })
  gateway.lanes.lost = new Error('connection lost')
  gateway.lanes.blind = true
  await send()
  const [queued] = gateway.lanes.added.splice(0)
  const record = gateway.records.records.get(queued!.id)!
  const attempt = { number: 1, startedAt: 1, finishedAt: 2, state: 'succeeded' } as const
  gateway.records.write({ ...record, state: 'succeeded', finishedAt: 2, attempts: [attempt] })
  gateway.lanes.lost = undefined
  gateway.lanes.blind = false
  const accepted = await send()
  expect(accepted.status).toBe(202)
  expect(await accepted.json()).toMatchObject({ id: queued!.id })
  expect(gateway.lanes.added).toEqual([])
})

test.for([
  ['/v1/functions/%75p/invocations', 202],
  ['/v1/functions/up/invocations?', 202],
  ['/v1/functions/UP/invocations', 400],
  ['/v1/functions/nope/invocations', 404],
  ['/v1/functions/up/invocations/', 404],
  ['/v1/functions//invocations', 400],
] as const)('POST %s is answered %i', async ([path, status]) => {
  await using gateway = await startGateway()
  await gateway.deploy('up')
  const response = await fetch(gateway.url + path, { method: 'POST', body: 'x', headers: AUTH })
  expect(response.status).toBe(status)
  expect(gateway.lanes.added).toHaveLength(status === 202 ? 1 : 0)
})

test('the token is wanted, and other methods are refused with what is allowed', async () => {
  await using gateway = await startGateway()
  await gateway.deploy('up')
  for (const authorization of ['Bearer other', '']) {
    const response = await submit(gateway, '', { headers: { authorization } })
    expect(response.status).toBe(401)
    expect(response.headers.get('www-authenticate')).toContain('Bearer')
  }
  const get = await fetch(gateway.url + SUBMIT, { headers: AUTH })
  expect([get.status, get.headers.get('allow')]).toEqual([405, 'POST'])
  expect(gateway.lanes.added).toEqual([])
})

test('many at the same time go in together, each with its own answer', async () => {
  await using gateway = await startOnRedis(redis.url, { prefix: 'together' })
  await gateway.deploy('up')
  const all = await Promise.all(
    Array.from({ length: 100 }, async (_, index) => {
      const response = await submit(gateway, `?path=/${index}`, { body: `body ${index}` })
      return { index, status: response.status, ...((await response.json()) as { id: string }) }
    }),
  )
  expect(new Set(all.map(({ id }) => id)).size).toBe(100)
  for (const { index, id, status } of all) {
    expect(status).toBe(202)
    const { json } = await gateway.call('GET', `/v1/invocations/${id}`)
    expect(json).toMatchObject({ request: { target: `/${index}`, bodyBytes: `body ${index}`.length } })
  }
})

test('the same key with another body or other options is a 409', async () => {
  await using gateway = await startOnRedis(redis.url, { prefix: 'reused' })
  await gateway.deploy('up')
  const headers = { 'idempotency-key': '"a b"'.replace(' ', '-') }
  expect((await submit(gateway, '', { headers })).status).toBe(202)
  for (const [query, body] of [
    ['', 'y'],
    ['?priority=1', 'x'],
  ] as const) {
    const response = await submit(gateway, query, { headers, body })
    expect(response.status).toBe(409)
    expect(await response.json()).toMatchObject({ code: 'key-reused', retryable: false })
  }
  expect((await gateway.call('GET', '/v1/functions/up')).json.lane).toMatchObject({ waiting: 1 })
})

test('many at once with one key are one invocation, and all hear the same', async () => {
  await using gateway = await startOnRedis(redis.url, { prefix: 'coalesce' })
  await using other = await startOnRedis(redis.url, { prefix: 'coalesce' })
  await gateway.deploy('up')
  const headers = { 'idempotency-key': 'one' }
  const all = await Promise.all(
    Array.from({ length: 20 }, async (_, index) => {
      // The host is in the answer: that of the first is what all hear.
      const response = await submit(index % 2 === 0 ? gateway : other, '', { headers })
      return { text: await response.text(), replay: response.headers.get('hearth-idempotent-replay') }
    }),
  )
  expect(new Set(all.map(({ text }) => text)).size).toBe(1)
  expect(all.filter(({ replay }) => replay === null)).toHaveLength(1)
  expect((await gateway.call('GET', '/v1/functions/up')).json.lane).toMatchObject({ waiting: 1 })
})

test('a process that died after it had queued leaves the key to the next one, which finds the invocation', async () => {
  await using gateway = await startOnRedis(redis.url, { prefix: 'died', leaseMs: 300 })
  await gateway.deploy('up')
  // The one that dies: it never comes to store its answer.
  const dying = await startOnRedis(redis.url, {
    prefix: 'died',
    leaseMs: 300,
    wrap: ({ idempotency }) => ({
      idempotency: {
        begin: (...args) => idempotency.begin(...args),
        beginMany: (items) => idempotency.beginMany(items),
        settled: (...args) => idempotency.settled(...args),
        finish: () => Promise.reject(UNAVAILABLE),
        abandon: () => Promise.reject(UNAVAILABLE),
        doubt: () => Promise.reject(UNAVAILABLE),
      },
    }),
  })
  const headers = { 'idempotency-key': 'once' }
  const { id } = (await (await submit(dying, '', { headers })).json()) as { id: string }
  await dying[Symbol.asyncDispose]()
  const again = await submit(gateway, '', { headers })
  expect(again.status).toBe(202)
  expect(await again.json()).toMatchObject({ id })
  expect((await gateway.call('GET', '/v1/functions/up')).json.lane).toMatchObject({ waiting: 1 })
})

test.for(['', 'with space', 'ä', 'x'.repeat(256)])('the key %j is refused', async (key) => {
  await using gateway = await startGateway()
  await gateway.deploy('up')
  const response = await submit(gateway, '', { headers: { 'idempotency-key': key } })
  expect(response.status).toBe(400)
  expect(gateway.lanes.added).toEqual([])
})
