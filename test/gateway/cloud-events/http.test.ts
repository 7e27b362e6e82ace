import { CloudEvent as SdkEvent, HTTP } from 'cloudevents'
import { describe, expect, it } from 'vitest'

import type { PlatformError } from '#core/errors'
import type { CloudEvent } from '#core/event'
import { batchRequest, binaryRequest, readEvents, structuredRequest } from '#gateway/cloud-events/http'
import type { EventRequest } from '#gateway/cloud-events/http'

const TIME = '2026-11-20T10:00:00.123456+01:00'
const HEAD = { id: 'A-1', source: '/shop/7', type: 'shop.order.paid' }
const JSON_EVENT: CloudEvent = {
  attributes: {
    ...HEAD,
    time: TIME,
    subject: 'Größe "L" 100 %',
    datacontenttype: 'application/json',
    shard: 3,
    urgent: true,
  },
  data: bytes('{"total":12345678901234567890,"name":"Zoë"}'),
}
const SAMPLES: readonly [string, CloudEvent][] = [
  ['JSON data', JSON_EVENT],
  ['text', { attributes: { ...HEAD, datacontenttype: 'text/plain' }, data: bytes('häuser\n') }],
  ['bytes', { attributes: { ...HEAD, datacontenttype: 'image/png' }, data: new Uint8Array([0, 255, 128, 10]) }],
  ['no data', { attributes: HEAD, data: new Uint8Array(0) }],
  [
    'what is not the JSON it says it is',
    { attributes: { ...HEAD, datacontenttype: 'application/json' }, data: bytes('{"a":') },
  ],
]

function bytes(text: string): Uint8Array {
  return new TextEncoder().encode(text)
}

function read({ headers, body }: EventRequest): readonly CloudEvent[] {
  return readEvents(Object.fromEntries(headers), body).map(plain)
}

/** Without the difference between a Buffer and a Uint8Array; extensions of binary mode are all text. */
function plain({ attributes, data }: CloudEvent): CloudEvent {
  return { attributes, data: new Uint8Array(data) }
}

function asTexts({ attributes, data }: CloudEvent): CloudEvent {
  const texts = Object.entries(attributes).map(([name, value]) => [name, String(value)])
  return { attributes: Object.fromEntries(texts) as CloudEvent['attributes'], data }
}

describe.each(SAMPLES)('an event with %s', (_, event) => {
  it('comes back from binary mode as it was', () => {
    expect(read(binaryRequest(event))).toEqual([asTexts(event)])
  })

  it('comes back from structured mode as it was', () => {
    expect(read(structuredRequest(event))).toEqual([event])
  })

  it('comes back from a batch as it was', () => {
    expect(read(batchRequest([event, event]))).toEqual([event, event])
  })
})

describe('the SDK', () => {
  const sent = new SdkEvent({
    ...HEAD,
    time: TIME,
    subject: 's',
    shard: 3,
    data: { total: 5, list: ['ä'] },
    datacontenttype: 'application/json',
  })

  it.each(['binary', 'structured'] as const)('reads what we write in %s mode', (mode) => {
    const { headers, body } = (mode === 'binary' ? binaryRequest : structuredRequest)(JSON_EVENT)
    const event = HTTP.toEvent({ headers: Object.fromEntries(headers), body: Buffer.from(body).toString() })
    expect(event).toMatchObject({ ...HEAD, time: '2026-11-20T09:00:00.123Z', data: { name: 'Zoë' } })
  })

  it('reads what we write as a batch', () => {
    const { headers, body } = batchRequest([JSON_EVENT, JSON_EVENT])
    const events = HTTP.toEvent({ headers: Object.fromEntries(headers), body: Buffer.from(body).toString() })
    expect(events).toMatchObject([HEAD, HEAD])
  })

  it.each(['binary', 'structured'] as const)('writes what we read in %s mode', (mode) => {
    const { headers, body } = HTTP[mode](sent)
    const [event] = readEvents(headers, Buffer.from(String(body)))
    expect(event?.attributes).toMatchObject({ ...HEAD, subject: 's', time: '2026-11-20T09:00:00.123Z' })
    expect(JSON.parse(Buffer.from(event?.data ?? []).toString())).toEqual(sent.data)
  })

  it('writes bytes that we read', () => {
    const { headers, body } = HTTP.structured(
      new SdkEvent({ ...HEAD, data: new Uint8Array([0, 255]), datacontenttype: 'image/png' }),
    )
    const [event] = readEvents(headers, Buffer.from(String(body)))
    expect(new Uint8Array(event?.data ?? [])).toEqual(new Uint8Array([0, 255]))
  })

  it('survives our reading and writing in all modes', () => {
    for (const write of [binaryRequest, structuredRequest, (event: CloudEvent) => batchRequest([event])]) {
      const first = HTTP.structured(sent)
      const [ours] = readEvents(first.headers, Buffer.from(String(first.body)))
      const { headers, body } = write(ours as CloudEvent)
      const back = [HTTP.toEvent({ headers: Object.fromEntries(headers), body: Buffer.from(body).toString() })].flat()
      expect(back[0]).toMatchObject({ ...HEAD, time: sent.toJSON().time, subject: 's', data: sent.data })
    }
  })
})

describe('a malformed event', () => {
  const BASE = { specversion: '1.0', ...HEAD }

  it.each<[attribute: string, value: unknown]>([
    ['id', undefined],
    ['id', ''],
    ['id', 7],
    ['source', undefined],
    ['source', 'not a uri'],
    ['type', undefined],
    ['type', ''],
    ['specversion', undefined],
    ['specversion', '0.3'],
    ['time', 'yesterday'],
    ['time', '2026-11-20'],
    ['subject', ''],
    ['subject', 'a\r\nb'],
    ['datacontenttype', 'text/plain\r\nx-injected: 1'],
    ['dataschema', 'relative'],
    ['datacontenttype', ''],
    ['Upper', 'x'],
    ['with-dash', 'x'],
    ['extension', { nested: true }],
    ['extension', 1.5],
    ['extension', 2 ** 31],
    ['extension', '\ud800'],
    ['specversion', null],
    ['datacontenttype', 'text/plain; x=ä'],
    ['data_base64', '%'],
  ])('is refused in structured mode, and batched, with the attribute %s named: %j', (attribute, value) => {
    const json = { ...BASE, [attribute]: value }
    const one = refusal('application/cloudevents+json', JSON.stringify(json))
    expect(one).toMatchObject({ code: 'invalid-event', members: { attribute } })
    expect(one.message).toContain(`"${attribute}"`)
    const batch = refusal('application/cloudevents-batch+json', JSON.stringify([BASE, json]))
    expect(batch).toMatchObject({ code: 'invalid-event', members: { attribute, index: 1 } })
  })

  it.each<[attribute: string, value: string | undefined]>([
    ['id', undefined],
    ['source', undefined],
    ['type', ''],
    ['specversion', undefined],
    ['specversion', '2.0'],
    ['time', 'noon'],
  ])('is refused in binary mode with the attribute %s named: %j', (attribute, value) => {
    const headers: Record<string, string> = {}
    for (const [name, text] of Object.entries({ ...BASE, [attribute]: value })) {
      if (text !== undefined) headers[`ce-${name}`] = text
    }
    expect(thrownBy(() => readEvents(headers, bytes('{}')))).toMatchObject({
      code: 'invalid-event',
      members: { attribute },
    })
  })

  it.each([
    ['application/cloudevents+json', '{'],
    ['application/cloudevents+json', '[]'],
    ['application/cloudevents+json', 'null'],
    ['application/cloudevents-batch+json', '{}'],
    ['application/cloudevents-batch+json', '[1]'],
    ['application/json', '{}'],
  ])('that is none at all is refused: %s %s', (type, body) => {
    expect(refusal(type, body)).toMatchObject({ code: 'invalid-event' })
  })
})

function refusal(type: string, body: string): PlatformError {
  return thrownBy(() => readEvents({ 'content-type': type }, bytes(body)))
}

function thrownBy(action: () => unknown): PlatformError {
  try {
    action()
  } catch (error) {
    return error as PlatformError
  }
  throw new Error('expected it to throw')
}
