import { describe, expect, it } from 'vitest'

import { eventOfMessage, messageType } from '#gateway/cloud-events/message'

const FALLBACK = { id: 'stream:7', source: '/nats/orders', type: messageType('nats') }

function bytes(text: string): Uint8Array {
  return new TextEncoder().encode(text)
}

describe('eventOfMessage', () => {
  it('gives a plain message the attributes of its source, and its data a type', () => {
    const event = eventOfMessage({ data: bytes('{"a":1}') }, FALLBACK)
    expect(event.attributes).toEqual({
      ...FALLBACK,
      type: 'dev.hearth.nats.message',
      datacontenttype: 'application/json',
    })
    expect(eventOfMessage({ data: bytes('plain') }, FALLBACK).attributes.datacontenttype).toBe(
      'application/octet-stream',
    )
    expect(
      eventOfMessage({ data: bytes('plain'), contentType: 'text/plain' }, FALLBACK).attributes.datacontenttype,
    ).toBe('text/plain')
    expect(eventOfMessage({ data: bytes('') }, FALLBACK).attributes).toEqual(FALLBACK)
  })

  it('takes an event in binary mode from the attributes of the message', () => {
    const attributes = { specversion: '1.0', id: 'e1', source: '/x', type: 'x.y', tenant: 'a' }
    const event = eventOfMessage({ data: bytes('hi'), contentType: 'text/plain', attributes }, FALLBACK)
    expect(event.attributes).toEqual({
      id: 'e1',
      source: '/x',
      type: 'x.y',
      tenant: 'a',
      datacontenttype: 'text/plain',
    })
    expect(event.data).toEqual(bytes('hi'))
  })

  it('takes an event in structured mode from the data', () => {
    const data = bytes(JSON.stringify({ specversion: '1.0', id: 'e1', source: '/x', type: 'x.y', data: { a: 1 } }))
    const event = eventOfMessage({ data, contentType: 'application/cloudevents+json; charset=UTF-8' }, FALLBACK)
    expect(event.attributes).toMatchObject({ id: 'e1', type: 'x.y', datacontenttype: 'application/json' })
    expect(Buffer.from(event.data).toString()).toBe('{"a":1}')
  })

  it.each([
    ['structured', { data: bytes('{"specversion":"1.0"}'), contentType: 'application/cloudevents+json' }],
    ['binary', { data: bytes('x'), attributes: { id: 'e', source: 'no uri at all', type: 't' } }],
  ])('passes on as data what claims to be an event in %s mode and is none', (_, message) => {
    const event = eventOfMessage(message, FALLBACK)
    expect(event.attributes).toMatchObject(FALLBACK)
    expect(event.data).toEqual(message.data)
  })
})
