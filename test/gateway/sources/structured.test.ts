import { expect, it } from 'vitest'

import { structuredTypeOf } from '#gateway/sources/structured'

const EVENT = { specversion: '1.0', id: 'a', source: '/shop', type: 'paid' }

it.each([
  ['an event', JSON.stringify(EVENT), 'application/cloudevents+json'],
  ['an event with white space', JSON.stringify(EVENT, undefined, 2), 'application/cloudevents+json'],
  ['an event of another version', JSON.stringify({ ...EVENT, specversion: '0.3' }), undefined],
  ['an event without an id', JSON.stringify({ ...EVENT, id: undefined }), undefined],
  ['a list of events', JSON.stringify([EVENT]), undefined],
  ['text about events', 'the "specversion" is 1.0', undefined],
  ['another object', '{"id":"a"}', undefined],
  ['nothing', '', undefined],
])('tells whether a message is an event by its content: %s', (_, text, expected) => {
  expect(structuredTypeOf(Buffer.from(text))).toBe(expected)
})
