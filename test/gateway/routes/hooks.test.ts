import { createHmac } from 'node:crypto'

import { expect, test } from 'vitest'

import { AUTH, startGateway, type Started } from '../start.ts'

const SECRET = 'a long secret'

async function hook(gateway: Started, source: object = { verify: 'github', secrets: [SECRET] }): Promise<string> {
  await gateway.deploy('up')
  const body = JSON.stringify({ kind: 'http', function: 'up', source })
  const response = await fetch(`${gateway.url}/v1/triggers/repo`, { method: 'PUT', headers: AUTH, body })
  expect(response.status).toBe(201)
  return `${gateway.url}/hooks/repo`
}

function signed(body: string | Uint8Array, more: Record<string, string> = {}): RequestInit {
  const signature = createHmac('sha256', SECRET).update(body).digest('hex')
  const headers = { 'content-type': 'application/json', 'x-hub-signature-256': `sha256=${signature}`, ...more }
  return { method: 'POST', headers, body: body as string }
}

test('a webhook that is signed is queued, byte for byte, and needs no token', async () => {
  await using gateway = await startGateway()
  const url = await hook(gateway)
  const body = '{"zen":  "Größe",\r\n"n":1.0}'
  const response = await fetch(url, signed(body, { 'x-github-delivery': 'd-1', 'x-github-event': 'push' }))
  expect(response.status).toBe(202)
  expect(await response.json()).toEqual({ accepted: 1 })
  const [invocation] = gateway.lanes.added
  expect(Buffer.from(invocation?.request.body ?? []).toString()).toBe(body)
  expect(Object.fromEntries(invocation?.request.headers ?? [])).toMatchObject({
    'ce-id': 'd-1',
    'ce-type': 'dev.hearth.webhook.push',
    'ce-source': '/hooks/repo',
    'content-type': 'application/json',
  })
})

test('the same delivery twice is one invocation', async () => {
  await using gateway = await startGateway()
  const url = await hook(gateway)
  const requests = ['d-1', 'd-1', 'd-2'].map((id) => fetch(url, signed('{}', { 'x-github-delivery': id })))
  expect((await Promise.all(requests)).map(({ status }) => status)).toEqual([202, 202, 202])
  expect(gateway.lanes.added).toHaveLength(2)
})

test('a delivery that is sent again does not run again, whatever is changed in what is not signed', async () => {
  await using gateway = await startGateway()
  const key = Buffer.from('a key that has 24 bytes at least')
  const url = await hook(gateway, { verify: 'standard-webhooks', secrets: [`whsec_${key.toString('base64')}`] })
  const body = '{"specversion":"1.0","id":"1","source":"/s","type":"t"}'
  const time = String(Math.floor(Date.now() / 1000))
  const headers = {
    'webhook-id': 'd-1',
    'webhook-timestamp': time,
    'webhook-signature': `v1,${createHmac('sha256', key).update(`d-1.${time}.${body}`).digest('base64')}`,
  }
  const forged = { 'ce-specversion': '1.0', 'ce-id': '2', 'ce-source': '/admin', 'ce-type': 'forged' }
  for (const more of [
    { 'content-type': 'application/json' },
    { 'content-type': 'text/plain' },
    { 'content-type': 'application/cloudevents+json' },
    { 'content-type': 'application/json', ...forged },
  ]) {
    const response = await fetch(url, { method: 'POST', headers: { ...headers, ...more }, body })
    expect(response.status).toBe(202)
  }
  expect(gateway.lanes.added.map(({ cause }) => cause.events)).toEqual([['d-1']])
})

async function refused(request: Promise<Response>): Promise<unknown> {
  const response = await request
  return [response.status, ((await response.json()) as { code: string }).code]
}

test('one that is not signed, too large, or for nobody is refused', async () => {
  await using gateway = await startGateway({ maxAsyncBodyBytes: 1000 })
  const url = await hook(gateway)
  expect(await refused(fetch(url, { method: 'POST', body: '{}' }))).toEqual([401, 'invalid-signature'])
  expect(await refused(fetch(url, { ...signed('{}'), body: '{ }' }))).toEqual([401, 'invalid-signature'])
  expect(await refused(fetch(url, signed('x'.repeat(1001))))).toEqual([413, 'payload-too-large'])
  expect(await refused(fetch(`${gateway.url}/hooks/none`, signed('{}')))).toEqual([404, 'trigger-not-found'])
  expect(await refused(fetch(url))).toEqual([405, 'method-not-allowed'])
  await fetch(`${gateway.url}/v1/triggers/repo/disable`, { method: 'POST', headers: AUTH })
  expect(await refused(fetch(url, signed('{}')))).toEqual([404, 'trigger-not-found'])
  expect(gateway.lanes.added).toEqual([])
})

test('when it cannot be queued the sender is told to send it again', async () => {
  await using gateway = await startGateway()
  const url = await hook(gateway)
  gateway.lanes.down = new Error('away')
  const request = signed('{}', { 'x-github-delivery': 'd-1' })
  expect((await fetch(url, request)).status).toBe(503)
  gateway.lanes.down = undefined
  expect((await fetch(url, request)).status).toBe(202)
  expect(gateway.lanes.added).toHaveLength(1)
})

test('CloudEvents are taken as such, and who may send them can be asked', async () => {
  await using gateway = await startGateway({ maxBatch: 2 })
  const url = await hook(gateway, { origins: ['events.example'] })
  const ask = (origin: string) =>
    fetch(url, { method: 'OPTIONS', headers: { 'webhook-request-origin': origin, 'webhook-request-rate': '120' } })
  const allowed = await ask('events.example')
  expect(allowed.status).toBe(200)
  expect(allowed.headers.get('webhook-allowed-origin')).toBe('events.example')
  expect(allowed.headers.get('webhook-allowed-rate')).toBe('*')
  expect((await ask('others.example')).headers.get('webhook-allowed-origin')).toBeNull()
  const headers = { 'content-type': 'application/cloudevents-batch+json' }
  const event = { specversion: '1.0', id: '1', source: '/s', type: 't' }
  const body = JSON.stringify([event, { ...event, id: '2' }])
  const response = await fetch(url, { method: 'POST', headers, body })
  expect(await response.json()).toEqual({ accepted: 2 })
  const three = JSON.stringify(['1', '2', '3'].map((id) => ({ ...event, id })))
  expect(await refused(fetch(url, { method: 'POST', headers, body: three }))).toEqual([413, 'payload-too-large'])
  const malformed = await fetch(url, { method: 'POST', headers, body: JSON.stringify([{ ...event, type: '' }]) })
  expect(await malformed.json()).toMatchObject({ code: 'invalid-event', attribute: 'type' })
})
