import { describe, expect, it } from 'vitest'

import { eventOf, timeOf } from '#gateway/sources/redis-stream/message'

const ID = '1767323045678-3'
const OWN = {
  id: ID,
  source: '/redis-stream/shop%20orders',
  type: 'dev.hearth.redis-stream.message',
  time: '2026-01-02T03:04:05.678Z',
}

function entry(...fields: readonly (string | Buffer)[]): { id: string; fields: Buffer[] } {
  return { id: ID, fields: fields.map((each) => Buffer.from(each)) }
}

describe('an entry of a stream', () => {
  it.each([
    ['all fields, as a JSON object', entry('n', '1', 'name', 'ada'), '', '{"n":"1","name":"ada"}'],
    ['the field of the trigger', entry('n', '1', 'data', '{"a":1}'), 'data', '{"a":1}'],
    ['all fields where there is no such field', entry('n', '1'), 'data', '{"n":"1"}'],
    ['all fields where a value is called so', entry('n', 'data', 'm', '2'), 'data', '{"n":"data","m":"2"}'],
    ['a list, of a field that is there twice', entry('n', '1', 'n', '2'), '', '{"n":["1","2"]}'],
    ['base64, of what is no text', entry('n', Buffer.from([0xff, 1])), '', '{"n_base64":"/wE="}'],
    ['a field with any name', entry('__proto__', '1'), '', '{"__proto__":"1"}'],
  ])('has as its data %s', (...[, given, field, data]) => {
    const event = eventOf(given, 'shop orders', field)
    expect(Buffer.from(event.data).toString()).toBe(data)
    expect(event.attributes).toEqual({ ...OWN, datacontenttype: 'application/json' })
  })

  it('with text in the field is text', () => {
    const event = eventOf(entry('data', 'hello'), 'shop orders', 'data')
    expect(event.attributes).toEqual({ ...OWN, datacontenttype: 'application/octet-stream' })
  })

  it('keeps the bytes of a field', () => {
    const bytes = Buffer.from([0, 0xff, 0xfe, 10])
    expect(Buffer.from(eventOf(entry('data', bytes), 's', 'data').data)).toEqual(bytes)
  })

  it('that has an event in structured mode is that event', () => {
    const json = '{"specversion":"1.0","id":"a","source":"/shop","type":"paid","data":{"n":1}}'
    const event = eventOf(entry('event', json), 'orders', 'event')
    expect(event.attributes).toMatchObject({ id: 'a', source: '/shop', type: 'paid' })
    expect(Buffer.from(event.data).toString()).toBe('{"n":1}')
  })

  it.each([
    ['1767323045678-3', 1_767_323_045_678],
    ['5-1', undefined],
    ['18446744073709551615-1', undefined],
  ])('with the id %s is of %s', (id, time) => expect(timeOf(id)).toBe(time))
})
