import { afterAll, beforeAll, expect, test } from 'vitest'

import type { FunctionName, InvocationId } from '#core/ids'
import type { InvocationRecord } from '#core/record'
import { startTestRedis, type TestRedis } from '#test/redis'

import { respond } from '../memory.ts'
import { replacing, startOnRedis, type OnRedis } from '../on-redis.ts'
import { until } from '../raw.ts'

let redis: TestRedis
beforeAll(async () => (redis = await startTestRedis()))
afterAll(() => redis[Symbol.asyncDispose]())

const UP = 'up' as FunctionName

async function started(prefix: string): Promise<OnRedis> {
  const gateway = await startOnRedis(redis.url, { prefix })
  await gateway.deploy('up')
  return gateway
}

async function submitted(gateway: OnRedis, query = ''): Promise<InvocationId> {
  const { json } = await gateway.call('POST', `/v1/functions/up/invocations${query}`, { body: 'x' })
  return json.id as InvocationId
}

test.for(['', '?delayMs=60000'])('one that waits does not run, and its record says so (%s)', async (query) => {
  await using gateway = await started(`queued ${query}`)
  const id = await submitted(gateway, query)
  expect(await gateway.call('POST', `/v1/invocations/${id}/cancel`)).toMatchObject({
    status: 200,
    json: { id, state: 'cancelled' },
  })
  expect(await gateway.store.lanes.state(UP)).toMatchObject({ waiting: 0, delayed: 0 })
  const { json } = await gateway.call('GET', `/v1/invocations/${id}`)
  expect(json).toMatchObject({ state: 'cancelled', attempts: [], error: { code: 'cancelled' } })
  expect(json.finishedAt).toBeTypeOf('number')
  expect(await gateway.call('POST', `/v1/invocations/${id}/cancel`)).toMatchObject({
    status: 409,
    json: { code: 'not-cancellable', state: 'cancelled' },
  })
})

test('one that runs is told, whoever runs it', async () => {
  await using gateway = await started('running')
  await using other = await startOnRedis(redis.url, { prefix: 'running' })
  const id = await submitted(gateway)
  const claim = (await gateway.store.lanes.take(UP))!
  const { json } = await gateway.call('GET', `/v1/invocations/${id}`)
  gateway.store.records.write({ ...(json as unknown as InvocationRecord), state: 'running' })
  await gateway.store.records.flush()
  expect(await other.call('POST', `/v1/invocations/${id}/cancel`)).toMatchObject({
    status: 202,
    json: { id, state: 'cancelling' },
  })
  await expect.poll(() => claim.cancelled.aborted).toBe(true)
  await claim.complete()
})

test('a call at a function URL that runs here', async () => {
  await using gateway = await started('sync')
  gateway.invoker.script = async (_invocation, sink, signal) => {
    await new Promise((resolve) => signal.addEventListener('abort', resolve))
    return signal.aborted ? { kind: 'cancelled' } : respond(sink, 200, 'late')
  }
  const calling = fetch(`${gateway.url}/fn/up`)
  await until(() => gateway.invoker.invocations.length === 1)
  const { id } = gateway.invoker.invocations[0]!
  expect((await gateway.call('POST', `/v1/invocations/${id}/cancel`)).status).toBe(202)
  const response = await calling
  expect(response.status).toBe(499)
  expect(await response.json()).toMatchObject({ code: 'cancelled', detail: 'the invocation was cancelled by request' })
  expect((await gateway.call('GET', `/v1/invocations/${id}`)).json).toMatchObject({ state: 'cancelled' })
})

test('a record that was left as queued, without a place in the lane, ends as cancelled', async () => {
  await using gateway = await started('orphan')
  const id = await submitted(gateway)
  await gateway.store.lanes.cancel(UP, id)
  expect((await gateway.call('POST', `/v1/invocations/${id}/cancel`)).json).toEqual({ id, state: 'cancelled' })
  expect((await gateway.call('GET', `/v1/invocations/${id}`)).json).toMatchObject({ state: 'cancelled' })
})

test('its record says so before it is out of the lane: no crash in between leaves one without an end', async () => {
  const states: unknown[] = []
  await using gateway = await startOnRedis(redis.url, {
    prefix: 'order',
    wrap: ({ lanes }) => ({
      lanes: replacing(lanes, {
        cancel: (name, id, onRemove) =>
          lanes.cancel(name, id, async (takeovers) => {
            await onRemove?.(takeovers)
            states.push((await lanes.state(name)).waiting, (await gateway.store.records.get(id))?.state)
          }),
      }),
    }),
  })
  await gateway.deploy('up')
  const id = await submitted(gateway)
  expect((await gateway.call('POST', `/v1/invocations/${id}/cancel`)).status).toBe(200)
  expect(states).toEqual([1, 'cancelled'])
})

test('one that runs and fails just before it is cancelled ends, with its attempt', async () => {
  await using gateway = await startOnRedis(redis.url, {
    prefix: 'meanwhile',
    wrap: ({ lanes, records }) => ({
      lanes: replacing(lanes, {
        // As a consumer does it between the look at the record and the cancel.
        cancel: async (name, id, onRemove) => {
          const claim = (await lanes.take(name))!
          const record = (await records.get(id))!
          const attempt = { number: 1, startedAt: 1, finishedAt: 2, state: 'failed' as const }
          await records.save({ ...record, attempts: [attempt] })
          await claim.retry(60_000, 'it failed')
          return lanes.cancel(name, id, onRemove)
        },
      }),
    }),
  })
  await gateway.deploy('up')
  const id = await submitted(gateway)
  expect((await gateway.call('POST', `/v1/invocations/${id}/cancel`)).status).toBe(200)
  const { json } = await gateway.call('GET', `/v1/invocations/${id}`)
  expect(json).toMatchObject({ state: 'cancelled', attempts: [{ number: 1, state: 'failed' }] })
})

test('one that waits after a takeover counts that when it is cancelled', async () => {
  await using gateway = await startOnRedis(redis.url, { prefix: 'taken', leaseMs: 300 })
  await gateway.deploy('up')
  const dying = await startOnRedis(redis.url, { prefix: 'taken', leaseMs: 300 })
  const id = await submitted(gateway)
  await dying.store.lanes.take(UP)
  await dying[Symbol.asyncDispose]()
  await gateway.store.lanes.takeOverAll([UP])
  expect((await gateway.call('POST', `/v1/invocations/${id}/cancel`)).status).toBe(200)
  const { json } = await gateway.call('GET', `/v1/invocations/${id}`)
  expect(json).toMatchObject({ state: 'cancelled', redeliveries: 1 })
})

test('there is nothing to cancel', async () => {
  await using gateway = await started('nothing')
  const unknown = '00000000-0000-7000-8000-000000000000'
  expect((await gateway.call('POST', `/v1/invocations/${unknown}/cancel`)).status).toBe(404)
  await (await fetch(`${gateway.url}/fn/up`)).text()
  const { id } = gateway.invoker.invocations[0]!
  const { status, json } = await gateway.call('POST', `/v1/invocations/${id}/cancel`)
  expect({ status, json }).toMatchObject({ status: 409, json: { code: 'not-cancellable', state: 'succeeded' } })
})

test('what waits when its function is removed is cancelled', async () => {
  await using gateway = await started('removed')
  const ids = [await submitted(gateway), await submitted(gateway, '?delayMs=60000')]
  await (await fetch(`${gateway.url}/fn/up`)).text()
  expect((await gateway.call('DELETE', '/v1/functions/up')).status).toBe(204)
  for (const id of ids) {
    const { json } = await gateway.call('GET', `/v1/invocations/${id}`)
    expect(json).toMatchObject({ state: 'cancelled', error: { message: 'the function was removed before it ran' } })
  }
  const { json } = await gateway.call('GET', '/v1/invocations?state=succeeded')
  expect(json.records).toHaveLength(1)
})
