import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'

import { expect, test } from 'vitest'

import { systemClock } from '#core/clock'
import { type Delivery, parseDestination } from '#core/destination'
import type { CloudEvent } from '#core/event'
import { newInvocationId } from '#core/ids'
import type { InvocationRecord } from '#core/record'
import { openOutbound } from '#cli/serve/outbound'
import { readEvents } from '#gateway/cloud-events/http'
import { createDestinations } from '#gateway/destinations/destinations'
import { newSigningSecret, signatureHeaders } from '#gateway/destinations/signature'
import { MAX_HOPS } from '#gateway/destinations/told-event'
import { versionOf } from '#test/invoker/house'

import { MemoryIdempotency } from '../memory-keys.ts'
import { MemoryLanes, MemoryRecords } from '../memory.ts'

const never = new AbortController().signal

function finished(changes: Partial<InvocationRecord> = {}): InvocationRecord {
  const version = versionOf('told')
  return {
    id: newInvocationId(),
    function: version.function,
    version: version.number,
    trigger: 'async',
    state: 'succeeded',
    request: { method: 'POST', target: '/in', bodyBytes: 2 },
    acceptedAt: 1_795_000_000_000,
    finishedAt: 1_795_000_000_040,
    attempts: [{ number: 1, startedAt: 1_795_000_000_001, state: 'succeeded' }],
    input: { headers: [['content-type', 'text/plain']], body: 'in', bodyEncoding: 'utf8' },
    result: {
      status: 200,
      headers: [['content-type', 'text/plain']],
      bodyBytes: 3,
      body: 'out',
      bodyEncoding: 'utf8',
    },
    ...changes,
  }
}

function deliveryTo(text: string, record = finished(), on: Delivery['on'] = 'success'): Delivery {
  return { on, destination: parseDestination(text), record }
}

interface World extends Disposable {
  readonly destinations: ReturnType<typeof createDestinations>
  readonly lanes: MemoryLanes
  readonly published: CloudEvent[]
  readonly jobs: unknown[]
  readonly secret: string
}

function world(egress: readonly string[] = []): World {
  const lanes = new MemoryLanes()
  const published: CloudEvent[] = []
  const jobs: unknown[] = []
  const secret = newSigningSecret()
  const outbound = openOutbound(systemClock)
  const destinations = createDestinations({
    records: new MemoryRecords(),
    lanes,
    idempotency: new MemoryIdempotency(),
    clock: systemClock,
    queues: { add: async (queue, job) => void jobs.push({ queue, ...job }) },
    outbound,
    signingSecret: secret,
    live: (name) => versionOf(name, { egress }),
    publish: async (events) => published.push(...events),
  })
  return { destinations, lanes, published, jobs, secret, [Symbol.dispose]: () => outbound[Symbol.dispose]() }
}

interface Received {
  readonly headers: Record<string, string>
  readonly body: Buffer
}

/** Answers every request with the status. */
async function startReceiver(status: number): Promise<AsyncDisposable & { url: string; received: Received[] }> {
  const received: Received[] = []
  const server = createServer(async (req, res) => {
    const body = Buffer.concat(await req.toArray())
    received.push({ headers: req.headers as Record<string, string>, body })
    res.writeHead(status).end()
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo
  return {
    url: `http://127.0.0.1:${port}/hook`,
    received,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections()
      await new Promise((resolve) => server.close(resolve))
    },
  }
}

test('a function is told once, however often the delivery is tried', async () => {
  using at = world()
  const delivery = deliveryTo('function:next')
  await at.destinations.deliver(delivery.record.id, delivery, never)
  await at.destinations.deliver(delivery.record.id, delivery, never)
  expect(at.lanes.added).toHaveLength(1)
  const [invocation] = at.lanes.added
  expect(invocation).toMatchObject({
    function: 'next',
    cause: { destinationOf: delivery.record.id },
    request: { method: 'POST', target: '/' },
  })
  const headers = Object.fromEntries(invocation?.request.headers ?? [])
  expect(headers).toMatchObject({
    'ce-type': 'dev.hearth.invocation.success',
    'ce-source': '/functions/told',
    'ce-subject': delivery.record.id,
  })
  expect(JSON.parse(Buffer.from(invocation?.request.body ?? []).toString())).toMatchObject({
    invocation: delivery.record.id,
    request: { target: '/in', body: 'in' },
    response: { status: 200, body: 'out' },
  })
})

test('a queue gets a job with the event as data', async () => {
  using at = world()
  const delivery = deliveryTo('queue:mails', finished({ error: { code: 'timed-out', message: 'late' } }), 'failure')
  await at.destinations.deliver(delivery.record.id, delivery, never)
  expect(at.jobs).toEqual([
    {
      queue: 'mails',
      id: `${delivery.record.id}-failure`,
      name: 'dev.hearth.invocation.failure',
      data: expect.objectContaining({
        specversion: '1.0',
        type: 'dev.hearth.invocation.failure',
        data: expect.objectContaining({ error: { code: 'timed-out', message: 'late' } }),
      }),
    },
  ])
})

test('the bus gets the event that the function answered with', async () => {
  using at = world()
  const result = {
    status: 200,
    headers: [
      ['ce-specversion', '1.0'],
      ['ce-id', '7'],
      ['ce-source', '/orders'],
      ['ce-type', 'order.paid'],
      ['content-type', 'application/json'],
    ],
    bodyBytes: 2,
    body: '{}',
    bodyEncoding: 'utf8',
  } as const
  const delivery = deliveryTo('events', finished({ result }))
  await at.destinations.deliver(delivery.record.id, delivery, never)
  expect(at.published.map(({ attributes }) => attributes)).toEqual([
    { id: '7', source: '/orders', type: 'order.paid', datacontenttype: 'application/json', hearthhops: 1 },
  ])
})

test('the bus gets an event about the invocation when its response is none', async () => {
  using at = world()
  await at.destinations.deliver(newInvocationId(), deliveryTo('events'), never)
  expect(at.published.map(({ attributes }) => attributes.type)).toEqual(['dev.hearth.invocation.success'])
})

test('a URL gets a signed event', async () => {
  await using receiver = await startReceiver(204)
  using at = world(['127.0.0.1'])
  const delivery = deliveryTo(receiver.url)
  await at.destinations.deliver(delivery.record.id, delivery, never)
  const [post] = receiver.received
  const { headers, body } = post as Received
  expect(readEvents(headers, body)[0]?.attributes.subject).toBe(delivery.record.id)
  const id = `${delivery.record.id}-success`
  const signed = signatureHeaders(at.secret, id, body, Number(headers['webhook-timestamp']) * 1000)
  expect(headers).toMatchObject(Object.fromEntries(signed))
})

test('a URL that answers with an error has not been told, and is tried again', async () => {
  await using receiver = await startReceiver(503)
  using at = world(['127.0.0.1'])
  const told = at.destinations.deliver(newInvocationId(), deliveryTo(receiver.url), never)
  await expect(told).rejects.toMatchObject({
    code: 'delivery-failed',
    retryable: true,
    message: expect.stringContaining('expected a status of 200 to 299, received 503'),
  })
})

test('a private address is refused unless the egress of the function names it', async () => {
  await using receiver = await startReceiver(204)
  using at = world()
  const told = at.destinations.deliver(newInvocationId(), deliveryTo(receiver.url), never)
  await expect(told).rejects.toMatchObject({
    code: 'delivery-failed',
    message: expect.stringContaining('not a public address'),
  })
  expect(receiver.received).toEqual([])
})

test('functions that tell each other in a circle are stopped, also by calls too large to be kept', async () => {
  using at = world()
  const { input: _, ...large } = finished({ cause: { hops: MAX_HOPS - 2 } })
  await at.destinations.deliver(large.id, deliveryTo('function:a', large), never)
  const [next] = at.lanes.added
  expect(next?.cause).toEqual({ destinationOf: large.id, hops: MAX_HOPS - 1 })
  expect(Object.fromEntries(next?.request.headers ?? [])).toMatchObject({ 'ce-hearthhops': String(MAX_HOPS - 1) })
  const last = { ...large, id: newInvocationId(), cause: { hops: MAX_HOPS } }
  const told = at.destinations.deliver(last.id, deliveryTo('function:a', last), never)
  await expect(told).rejects.toMatchObject({ code: 'invalid-request', retryable: false })
  expect(at.lanes.added).toHaveLength(1)
})

test('functions that tell each other in a circle are stopped', async () => {
  using at = world()
  const headers = [
    ['ce-specversion', '1.0'],
    ['ce-id', '1'],
    ['ce-source', '/functions/a'],
    ['ce-type', 'x'],
    ['ce-hearthhops', String(MAX_HOPS)],
  ] as const
  const input = { headers, body: '', bodyEncoding: 'utf8' } as const
  const told = at.destinations.deliver(newInvocationId(), deliveryTo('function:a', finished({ input })), never)
  await expect(told).rejects.toMatchObject({ code: 'invalid-request', retryable: false })
  expect(at.lanes.added).toEqual([])
})
