import { expect, test } from 'vitest'

import { AUTH, startGateway, type Started } from '../start.ts'

const EVENT = { specversion: '1.0', id: '1', source: '/shop', type: 'order.paid', data: { total: 5 } }

async function put({ url }: Started, name: string, spec: object): Promise<void> {
  const body = JSON.stringify({ kind: 'events', function: 'up', ...spec })
  const response = await fetch(`${url}/v1/triggers/${name}`, { method: 'PUT', headers: AUTH, body })
  expect(response.status).toBe(201)
}

async function publish(
  { url }: Started,
  type: string,
  body: string,
  more: Record<string, string> = {},
): Promise<unknown> {
  const headers = { ...AUTH, 'content-type': type, ...more }
  const response = await fetch(`${url}/v1/events`, { method: 'POST', headers, body })
  return { status: response.status, ...((await response.json()) as object) }
}

test('events in every mode reach the triggers that want them', async () => {
  await using gateway = await startGateway()
  await gateway.deploy('up')
  await put(gateway, 'all', {})
  await put(gateway, 'big', { filter: { 'data.total': { numeric: { gte: 10 } } }, mode: 'structured' })
  expect(await publish(gateway, 'application/cloudevents+json', JSON.stringify(EVENT))).toEqual({
    status: 202,
    accepted: 1,
    deliveries: 1,
    unmatched: 0,
    refused: 0,
  })
  const big = { ...EVENT, id: '2', data: { total: 50 } }
  expect(await publish(gateway, 'application/cloudevents-batch+json', JSON.stringify([big, EVENT]))).toMatchObject({
    accepted: 2,
    deliveries: 3,
  })
  const binary = { 'ce-specversion': '1.0', 'ce-id': '3', 'ce-source': '/shop', 'ce-type': 'order.paid' }
  expect(await publish(gateway, 'application/json', '{"total":99}', binary)).toMatchObject({ deliveries: 2 })
  const shown = await fetch(`${gateway.url}/v1/triggers/all`, { headers: AUTH })
  expect(await shown.json()).toMatchObject({ status: { received: 4, matched: 4, invocations: 3, redelivered: 1 } })
  const queued = gateway.lanes.added.map(({ cause }) => `${cause.trigger} ${cause.events?.join()}`)
  expect(queued.toSorted((a, b) => (a < b ? -1 : 1))).toEqual(['all 1', 'all 2', 'all 3', 'big 2', 'big 3'])
  const metrics = await (await fetch(`${gateway.url}/metrics`)).text()
  expect(metrics).toContain('hearth_bus_events_total{outcome="accepted"} 4')
  expect(metrics).toContain('hearth_trigger_events_total{trigger="all",outcome="redelivered"} 1')
})

test('malformed and unauthorized ones are refused, and nothing is done', async () => {
  await using gateway = await startGateway({ maxBatch: 2 })
  await gateway.deploy('up')
  await put(gateway, 'all', {})
  const { source: _source, ...sourceless } = EVENT
  const batch = JSON.stringify([EVENT, sourceless])
  expect(await publish(gateway, 'application/cloudevents-batch+json', batch)).toMatchObject({
    status: 400,
    code: 'invalid-event',
    attribute: 'source',
    index: 1,
  })
  expect(await publish(gateway, 'application/json', '{}')).toMatchObject({ status: 400, code: 'invalid-event' })
  const many = JSON.stringify([EVENT, EVENT, EVENT])
  expect(await publish(gateway, 'application/cloudevents-batch+json', many)).toMatchObject({ status: 413 })
  expect((await fetch(`${gateway.url}/v1/events`, { method: 'POST', body: '{}' })).status).toBe(401)
  expect(gateway.lanes.added).toEqual([])
})

test('an event with more data than an invocation may have is refused, and nothing is done', async () => {
  await using gateway = await startGateway({ maxAsyncBodyBytes: 100 })
  await gateway.deploy('up')
  await put(gateway, 'all', {})
  const batch = JSON.stringify([EVENT, { ...EVENT, id: '2', data: 'x'.repeat(100) }])
  expect(await publish(gateway, 'application/cloudevents-batch+json', batch)).toMatchObject({
    status: 413,
    code: 'payload-too-large',
    limit: 100,
    index: 1,
  })
  const long = JSON.stringify({ ...EVENT, subject: 'x'.repeat(100) })
  expect(await publish(gateway, 'application/cloudevents+json', long)).toMatchObject({ status: 413, index: 0 })
  expect(gateway.lanes.added).toEqual([])
})

test('an event that is no UTF-8 is refused', async () => {
  await using gateway = await startGateway()
  const body = Buffer.from(JSON.stringify({ ...EVENT, data: '\xff' }), 'latin1')
  const headers = { ...AUTH, 'content-type': 'application/cloudevents+json' }
  const response = await fetch(`${gateway.url}/v1/events`, { method: 'POST', headers, body })
  expect(response.status).toBe(400)
  expect(await response.json()).toMatchObject({ code: 'invalid-event', detail: expect.stringContaining('UTF-8') })
})

test('an event that nobody wants is accepted and counted', async () => {
  await using gateway = await startGateway()
  expect(await publish(gateway, 'application/cloudevents+json', JSON.stringify(EVENT))).toEqual({
    status: 202,
    accepted: 1,
    deliveries: 0,
    unmatched: 1,
    refused: 0,
  })
})
