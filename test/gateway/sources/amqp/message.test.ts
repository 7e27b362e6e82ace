import { describe, expect, it } from 'vitest'

import { receivedOf, type AmqpMessage } from '#gateway/sources/amqp/message'

const NO_PROPERTIES: AmqpMessage['properties'] = {
  contentType: undefined,
  contentEncoding: undefined,
  headers: undefined,
  deliveryMode: undefined,
  priority: undefined,
  correlationId: undefined,
  replyTo: undefined,
  expiration: undefined,
  messageId: undefined,
  timestamp: undefined,
  type: undefined,
  userId: undefined,
  appId: undefined,
  clusterId: undefined,
}

function message(data: string, properties: Partial<AmqpMessage['properties']> = {}): AmqpMessage {
  return {
    content: Buffer.from(data),
    properties: { ...NO_PROPERTIES, ...properties },
    fields: { redelivered: false, routingKey: 'order.paid' },
  }
}

const OWN = {
  id: expect.any(String),
  source: '/amqp/shop%20orders',
  type: 'dev.hearth.amqp.message',
  subject: 'order.paid',
}
const EVENT = { 'cloudEvents:id': 'a', 'cloudEvents:source': '/shop', 'cloudEvents:type': 'paid' }

describe('a message of RabbitMQ', () => {
  it.each([
    ['JSON', message('{"n":1}'), { ...OWN, datacontenttype: 'application/json' }],
    ['data of a type', message('a', { contentType: 'text/csv' }), { ...OWN, datacontenttype: 'text/csv' }],
    [
      'data with an id and a time',
      message('1', { messageId: 'm-1', timestamp: 1_767_323_045 }),
      { ...OWN, id: 'm-1', time: '2026-01-02T03:04:05.000Z', datacontenttype: 'application/json' },
    ],
    [
      'data with a time in ms, which no year of four digits is',
      message('1', { timestamp: 1_767_323_045_000 }),
      { ...OWN, datacontenttype: 'application/json' },
    ],
    [
      'an event in binary mode',
      message('{}', {
        contentType: 'application/json',
        headers: { ...EVENT, 'cloudEvents:time': { '!': 'timestamp', value: 1_767_323_045 }, 'x-other': 1 },
      }),
      { id: 'a', source: '/shop', type: 'paid', time: '2026-01-02T03:04:05.000Z', datacontenttype: 'application/json' },
    ],
    [
      'an event in binary mode, with the other prefix',
      message('{}', {
        headers: { cloudEvents_id: 'a', cloudEvents_source: '/shop', cloudEvents_type: 'paid', cloudEvents_level: 3 },
      }),
      { id: 'a', source: '/shop', type: 'paid', level: 3 },
    ],
    [
      'an event with an attribute that is none',
      message('{}', { headers: { ...EVENT, 'cloudEvents:list': [1] } }),
      { ...OWN, datacontenttype: 'application/json' },
    ],
  ])('that is %s is an event with the same data', (_, given, attributes) => {
    const { event } = receivedOf(given, 'shop orders')
    expect(event.attributes).toEqual(attributes)
    expect(Buffer.from(event.data)).toEqual(given.content)
  })

  it('that is an event in structured mode is that event', () => {
    const json = '{"specversion":"1.0","id":"a","source":"/shop","type":"paid","data":{"n":1}}'
    const { event } = receivedOf(
      message(json, { contentType: 'application/cloudevents+json; charset=utf-8' }),
      'orders',
    )
    expect(event.attributes).toMatchObject({ id: 'a', source: '/shop', type: 'paid' })
  })

  it('without an id has no key, and another id at every delivery', () => {
    const [one, other] = [receivedOf(message('1'), 'orders'), receivedOf(message('1'), 'orders')]
    expect(one.key).toBeUndefined()
    expect(one.event.attributes.id).not.toBe(other.event.attributes.id)
  })

  it('with an id has a key, the same at every delivery', () => {
    const given = message('1', { messageId: 'm-1' })
    const again = { ...given, fields: { ...given.fields, redelivered: true } }
    expect(receivedOf(given, 'orders').key).toBeTypeOf('string')
    expect(receivedOf(again, 'orders')).toEqual({ ...receivedOf(given, 'orders'), redelivered: true })
    expect(receivedOf(message('1', { messageId: 'm-2' }), 'orders').key).not.toBe(receivedOf(given, 'orders').key)
  })
})
