import { describe, expect, test } from 'vitest'

import type { RecordResult } from '#core/record'
import { failedEvents, withOnly } from '#invoker/async/partial-batch'
import { versionOf } from '#test/invoker/house'

import { queued } from './memory-lanes.ts'

const answer = (body: unknown, status = 200): RecordResult => ({
  status,
  headers: [],
  bodyBytes: 1,
  body: typeof body === 'string' ? body : JSON.stringify(body),
  bodyEncoding: 'utf8',
})
const failures = (...ids: unknown[]): unknown => ({
  batchItemFailures: ids.map((itemIdentifier) => ({ itemIdentifier })),
})

describe('failedEvents()', () => {
  test.each([
    ['those that are named', ['a', 'b', 'c'], answer(failures('c', 'a')), ['a', 'c']],
    ['all when an id is not of the batch', ['a', 'b'], answer(failures('a', 'x')), ['a', 'b']],
    ['all when an id is missing', ['a', 'b'], answer({ batchItemFailures: [{}] }), ['a', 'b']],
    ['all when an entry is null', ['a', 'b'], answer({ batchItemFailures: [null] }), ['a', 'b']],
    ['each once', ['a', 'b'], answer(failures('b', 'b')), ['b']],
    ['none of an empty list', ['a', 'b'], answer({ batchItemFailures: [] }), undefined],
    ['none when it is no list', ['a', 'b'], answer({ batchItemFailures: 'a' }), undefined],
    ['none of any other answer', ['a', 'b'], answer('ok'), undefined],
    ['none of broken JSON', ['a', 'b'], answer('{"batchItemFailures":['), undefined],
    ['none of null', ['a', 'b'], answer('null /* batchItemFailures */'), undefined],
    ['none of an error: the whole attempt failed', ['a', 'b'], answer(failures('a'), 500), undefined],
    ['the last one that is left of a batch', ['a'], answer(failures('a')), ['a']],
    ['none of a response that was not kept', ['a', 'b'], { status: 200, headers: [], bodyBytes: 9 }, undefined],
  ] as const)('%s', (_, events, response, expected) => {
    expect(failedEvents(events, response)).toEqual(expected)
  })
})

describe('withOnly()', () => {
  const events = ['a', 'b', 'c'].map((id) => ({ specversion: '1.0', id, source: 's', type: 't', data: { of: id } }))
  const invocation = queued(versionOf('batch'), '/', {
    cause: { events: ['a', 'b', 'c'] },
    request: {
      method: 'POST',
      target: '/',
      origin: 'http://test',
      headers: [
        ['content-type', 'application/cloudevents-batch+json'],
        ['content-length', '999'],
      ],
      body: Buffer.from(JSON.stringify(events)),
    },
  })

  test('keeps the events that are left, in order, and says their length', () => {
    const { request, cause } = withOnly(invocation, ['a', 'c'])
    const body = Buffer.from(request.body).toString()
    expect(JSON.parse(body)).toEqual([events[0], events[2]])
    expect(cause).toEqual({ events: ['a', 'c'] })
    expect(request.headers).toContainEqual(['content-length', String(body.length)])
    expect(request).toMatchObject({ method: 'POST', target: '/', origin: 'http://test' })
  })

  test('keeps them byte for byte, as a number that has more digits than a double', () => {
    const texts = [
      '{"id":"a","data":{"n":12345678901234567890,"x":1.0,"s":"],\\"}\\\\"}}',
      ' {"id":"b", "data":[[1,2],{"c":[]}]}\n',
      '{"id":"c","data":"Zo\u00eb [{"}',
    ]
    const of = (left: readonly string[]) => {
      const body = Buffer.from(`[${texts.join(',')}]`)
      const { request } = withOnly({ ...invocation, request: { ...invocation.request, body } }, left)
      return Buffer.from(request.body).toString()
    }
    expect(of(['a', 'c'])).toBe(`[${texts[0]},${texts[2]}]`)
    expect(of(['b'])).toBe(`[${texts[1]}]`)
    expect(of([])).toBe('[]')
  })

  test('leaves a body that is not of events as it is', () => {
    const odd = { ...invocation, request: { ...invocation.request, body: Buffer.from('no json') } }
    expect(withOnly(odd, ['a'])).toEqual({ request: odd.request, cause: odd.cause })
  })
})
