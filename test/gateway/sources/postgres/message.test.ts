import { describe, expect, it } from 'vitest'

import { eventOf, eventOfNotification, type OutboxRow } from '#gateway/sources/postgres/message'

const TEXT = 25
const BYTEA = 17
const JSONB = 3802
const TIME = '2026-01-02T03:04:05.678901Z'
const ROW: OutboxRow = { id: '7', version: '1/2', payload: null, type: 'order.paid', time: TIME }
const OWN = { id: '7', source: '/postgres/shop.outbox', type: 'order.paid', time: TIME }

describe('a row of an outbox table', () => {
  it.each([
    ['jsonb', JSONB, '{"n": 12345678901234567890}', '{"n": 12345678901234567890}', 'application/json'],
    ['text that is JSON', TEXT, '{"n":1}', '{"n":1}', 'application/json'],
    ['text', TEXT, 'hello', 'hello', 'application/octet-stream'],
    ['bytea', BYTEA, '\\x00ff7b', '\u0000\u00ff{', 'application/octet-stream'],
    ['null', JSONB, null, '', undefined],
  ])('with %s as its payload is an event with that', (...[, payloadType, payload, data, datacontenttype]) => {
    const event = eventOf({ ...ROW, payload }, 'shop.outbox', payloadType)
    expect(Buffer.from(event.data).toString(payloadType === BYTEA ? 'latin1' : 'utf8')).toBe(data)
    expect(event.attributes).toEqual(datacontenttype === undefined ? OWN : { ...OWN, datacontenttype })
  })

  it.each([null, '', 'a\nb'])('with %j as its type has the type of all rows', (type) => {
    expect(eventOf({ ...ROW, type, time: null }, 'outbox', TEXT).attributes).toEqual({
      id: '7',
      source: '/postgres/outbox',
      type: 'dev.hearth.postgres.message',
    })
  })

  it('that has an event in structured mode is that event', () => {
    const payload = '{"specversion":"1.0","id":"a","source":"/shop","type":"paid","data":{"n":1}}'
    const event = eventOf({ ...ROW, payload }, 'outbox', JSONB)
    expect(event.attributes).toMatchObject({ id: 'a', source: '/shop', type: 'paid' })
    expect(Buffer.from(event.data).toString()).toBe('{"n":1}')
  })
})

it('a notification is an event with an id of its own', () => {
  const [one, other] = ['{"n":1}', '{"n":1}'].map((payload) => eventOfNotification(payload, 'orders', Date.parse(TIME)))
  expect(one?.attributes).toEqual({
    id: expect.stringMatching(/^[\da-f-]{36}$/),
    source: '/postgres/orders',
    type: 'dev.hearth.postgres.message',
    time: '2026-01-02T03:04:05.678Z',
    datacontenttype: 'application/json',
  })
  expect(other?.attributes.id).not.toBe(one?.attributes.id)
})
