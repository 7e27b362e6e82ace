import { afterAll, beforeAll, expect, test } from 'vitest'

import type { FunctionName, InvocationId } from '#core/ids'
import type { InvocationRecord } from '#core/record'
import { startTestRedis, type TestRedis } from '#test/redis'

import { startOnRedis, type OnRedis } from '../on-redis.ts'

let redis: TestRedis
beforeAll(async () => (redis = await startTestRedis()))
afterAll(() => redis[Symbol.asyncDispose]())

const UP = 'up' as FunctionName
const JSON_BODY = { headers: { 'content-type': 'application/json' } }

async function started(prefix: string): Promise<OnRedis> {
  const gateway = await startOnRedis(redis.url, { prefix })
  await gateway.deploy('up')
  return gateway
}

/** An async invocation that is over, as a consumer leaves it. */
async function finished(gateway: OnRedis, change: Partial<InvocationRecord> = {}): Promise<InvocationId> {
  const { json } = await gateway.call('POST', '/v1/functions/up/invocations?path=/x', { body: 'x' })
  const claim = (await gateway.store.lanes.take(UP))!
  const record = (await gateway.store.records.get(json.id as InvocationId))!
  await gateway.store.records.save({
    ...record,
    state: 'succeeded',
    finishedAt: 2,
    attempts: [{ number: 1, startedAt: 1, finishedAt: 2, state: 'succeeded' }],
    input: { headers: [['x-one', '1']], body: '/wCA', bodyEncoding: 'base64' },
    ...change,
  })
  await claim.complete()
  return record.id
}

test('the same input is queued again, as a new invocation that says what it repeats', async () => {
  await using gateway = await started('same')
  const id = await finished(gateway)
  await gateway.call('PUT', '/v1/functions/up?timeoutMs=5000', {
    headers: { 'content-type': 'text/javascript' },
    body: 'a newer one',
  })
  const { status, json, headers } = await gateway.call('POST', `/v1/invocations/${id}/replay`)
  expect(status).toBe(202)
  expect(json).toMatchObject({ function: 'up', version: 1, state: 'queued' })
  expect(json.id).not.toBe(id)
  expect(headers.get('location')).toBe(`/v1/invocations/${json.id}`)
  const claim = (await gateway.store.lanes.take(UP))!
  expect(claim.invocation).toMatchObject({ id: json.id, version: 1, trigger: 'async', cause: { replayOf: id } })
  expect(claim.invocation.request).toMatchObject({ method: 'POST', target: '/x', headers: [['x-one', '1']] })
  expect([...claim.invocation.request.body]).toEqual([255, 0, 128])
  await claim.complete()
  expect((await gateway.call('GET', `/v1/invocations/${json.id}`)).json).toMatchObject({ cause: { replayOf: id } })
})

test('on another version, when it is asked for', async () => {
  await using gateway = await started('version')
  const id = await finished(gateway)
  await gateway.call('PUT', '/v1/functions/up', { headers: { 'content-type': 'text/javascript' }, body: 'newer' })
  const replay = (version: unknown): ReturnType<OnRedis['call']> =>
    gateway.call('POST', `/v1/invocations/${id}/replay`, { ...JSON_BODY, body: JSON.stringify({ version }) })
  expect((await replay(2)).json).toMatchObject({ version: 2 })
  expect(await replay(9)).toMatchObject({ status: 404, json: { code: 'version-not-found' } })
  expect(await replay('2')).toMatchObject({ status: 400, json: { code: 'invalid-request' } })
  const other = await gateway.call('POST', `/v1/invocations/${id}/replay`, { ...JSON_BODY, body: '{"versoin":2}' })
  expect(other).toMatchObject({ status: 400, json: { detail: 'the body may have "version": received "versoin"' } })
})

test('a batch of events keeps what its events are', async () => {
  await using gateway = await started('events')
  const id = await finished(gateway, { trigger: 'event', cause: { trigger: 'orders' as never, events: ['a', 'b'] } })
  await gateway.call('POST', `/v1/invocations/${id}/replay`)
  const claim = (await gateway.store.lanes.take(UP))!
  // Its trigger does not wait for it.
  expect(claim.invocation).toMatchObject({ trigger: 'event', cause: { events: ['a', 'b'], replayOf: id } })
  expect(claim.invocation.cause).not.toHaveProperty('trigger')
  await claim.complete()
})

test.for([
  ['that of a call at a function URL', { trigger: 'http' }, 'that of a call at a function URL is not kept'],
  ['one that is too large', {}, 'it was larger than what a record keeps'],
  ['one that was cancelled', { state: 'cancelled' }, 'it was cancelled while it waited'],
] as const)('without its input there is no replay: %s', async ([, change, why]) => {
  await using gateway = await started(`no input ${why}`)
  const id = await finished(gateway, { ...change, input: undefined } as never)
  const { status, json } = await gateway.call('POST', `/v1/invocations/${id}/replay`)
  expect({ status, json }).toMatchObject({ status: 409, json: { code: 'not-replayable' } })
  expect(json.detail).toContain(why)
})

test('one that waits has no input yet', async () => {
  await using gateway = await started('waits')
  const { json } = await gateway.call('POST', '/v1/functions/up/invocations', { body: 'x' })
  const answer = await gateway.call('POST', `/v1/invocations/${json.id}/replay`)
  expect(answer).toMatchObject({ status: 409, json: { code: 'not-replayable' } })
  expect(answer.json.detail).toContain('it is queued')
})
