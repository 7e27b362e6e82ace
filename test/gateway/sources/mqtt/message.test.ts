import type { IPublishPacket } from 'mqtt'
import { describe, expect, it } from 'vitest'

import { eventOf } from '#gateway/sources/mqtt/message'

function message(data: string, properties?: IPublishPacket['properties']): IPublishPacket {
  const packet = { cmd: 'publish', qos: 1, dup: false, retain: false, topic: 'hall/celsius' } as const
  return { ...packet, payload: Buffer.from(data), ...(properties === undefined ? {} : { properties }) }
}

const OWN = {
  id: expect.any(String),
  source: '/mqtt/broker:1883',
  type: 'dev.hearth.mqtt.message',
  subject: 'hall/celsius',
}
const EVENT = { specversion: '1.0', id: 'a', source: '/hall', type: 'measured' }

describe('a message of MQTT', () => {
  it.each([
    ['JSON', message('21.5'), { ...OWN, datacontenttype: 'application/json' }],
    ['text', message('warm'), { ...OWN, datacontenttype: 'application/octet-stream' }],
    ['data of a type', message('warm', { contentType: 'text/plain' }), { ...OWN, datacontenttype: 'text/plain' }],
    ['nothing', message(''), OWN],
    [
      'an event in binary mode',
      message('21', { contentType: 'text/plain', userProperties: { ...EVENT, floor: ['1', '2'], 'X-Trace': 'x' } }),
      { id: 'a', source: '/hall', type: 'measured', floor: '1', datacontenttype: 'text/plain' },
    ],
    [
      'data with properties that are called like attributes',
      message('21', { userProperties: { id: 'a', source: 'b', type: 'c' } }),
      { ...OWN, datacontenttype: 'application/json' },
    ],
    [
      'an event of a version that is not known',
      message('21', { userProperties: { ...EVENT, specversion: '2.0' } }),
      { ...OWN, datacontenttype: 'application/json' },
    ],
  ])('that is %s is an event with the same data', (_, given, attributes) => {
    const event = eventOf(given, 'broker:1883')
    expect(event.attributes).toEqual(attributes)
    expect(Buffer.from(event.data)).toEqual(given.payload)
  })

  it('that is an event in structured mode is that event', () => {
    const json = '{"specversion":"1.0","id":"a","source":"/hall","type":"measured","data":21}'
    const event = eventOf(message(json, { contentType: 'application/cloudevents+json' }), 'broker')
    expect(event.attributes).toMatchObject({ id: 'a', source: '/hall', type: 'measured' })
    expect(Buffer.from(event.data).toString()).toBe('21')
  })

  it('has another id at every delivery when it has none itself', () => {
    expect(eventOf(message('1'), 'b').attributes.id).not.toBe(eventOf(message('1'), 'b').attributes.id)
  })
})
