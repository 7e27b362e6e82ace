import { headers } from '@nats-io/transport-node'
import { describe, expect, it } from 'vitest'

import { eventOf, type NatsMessage } from '#gateway/sources/nats/message'

const TIME = new Date('2026-01-02T03:04:05.678Z')

function message(data: string, given: Readonly<Record<string, string>> = {}): NatsMessage {
  const carried = headers()
  for (const [name, value] of Object.entries(given)) carried.set(name, value)
  return { data: Buffer.from(data), subject: 'orders.paid', seq: 7, time: TIME, headers: carried }
}

const OWN = {
  id: '7',
  source: '/nats/shop%20orders',
  type: 'dev.hearth.nats.message',
  subject: 'orders.paid',
  time: '2026-01-02T03:04:05.678Z',
}

describe('a message of NATS', () => {
  it.each([
    ['JSON', message('{"n":1}'), { ...OWN, datacontenttype: 'application/json' }],
    ['bytes', message('\u00ff{'), { ...OWN, datacontenttype: 'application/octet-stream' }],
    ['data of a type', message('a,b', { 'Content-Type': 'text/csv' }), { ...OWN, datacontenttype: 'text/csv' }],
    ['nothing', message(''), OWN],
    ['half an event', message('1', { 'ce-id': 'x' }), { ...OWN, datacontenttype: 'application/json' }],
    [
      'an event in binary mode',
      message('{}', {
        'ce-id': 'a',
        'CE-Source': '/shop',
        'ce-type': 'paid',
        'ce-tenant': 'x',
        'content-type': 'application/json',
      }),
      { id: 'a', source: '/shop', type: 'paid', tenant: 'x', datacontenttype: 'application/json' },
    ],
  ])('that is %s is an event with the same data', (_, given, attributes) => {
    const event = eventOf(given, 'shop orders')
    expect(event.attributes).toEqual(attributes)
    expect(Buffer.from(event.data)).toEqual(Buffer.from(given.data))
  })

  it('that is an event in structured mode is that event', () => {
    const json = '{"specversion":"1.0","id":"a","source":"/shop","type":"paid","data":{"n":1}}'
    const event = eventOf(message(json, { 'content-type': 'application/cloudevents+json' }), 'orders')
    expect(event.attributes).toMatchObject({ id: 'a', source: '/shop', type: 'paid' })
    expect(Buffer.from(event.data).toString()).toBe('{"n":1}')
  })

  it('without headers is an event too, the same at every delivery', () => {
    const bare = { ...message('1'), headers: undefined }
    expect(eventOf(bare, 'orders')).toEqual(eventOf(bare, 'orders'))
  })
})
