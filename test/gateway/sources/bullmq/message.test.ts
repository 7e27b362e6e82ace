import { describe, expect, it } from 'vitest'

import { receivedOf, type BullmqJob } from '#gateway/sources/bullmq/message'

const JOB: BullmqJob = {
  id: '7',
  name: 'send-mail',
  data: { to: 'ada' },
  timestamp: Date.UTC(2026, 0, 2, 3, 4, 5, 678),
  attemptsMade: 0,
  attemptsStarted: 1,
}
const OWN = {
  id: '7',
  source: '/bullmq/shop%20mail',
  type: 'dev.hearth.bullmq.message',
  subject: 'send-mail',
  time: '2026-01-02T03:04:05.678Z',
  datacontenttype: 'application/json',
}

describe('a job', () => {
  it.each([
    ['an object', { to: 'ada' }, '{"to":"ada"}'],
    ['a text', 'hello', '"hello"'],
    ['null', null, 'null'],
    ['nothing', undefined, ''],
  ])('with %s as its data is an event with that as JSON', (_, data, json) => {
    const { event } = receivedOf({ ...JOB, data }, 'shop mail')
    expect(Buffer.from(event.data).toString()).toBe(json)
    expect(event.attributes).toEqual(OWN)
  })

  it('without a name is an event without a subject', () => {
    expect(receivedOf({ ...JOB, name: '' }, 'q').event.attributes).not.toHaveProperty('subject')
  })

  it('whose data is an event in structured mode is that event', () => {
    const data = { specversion: '1.0', id: 'a', source: '/shop', type: 'paid', data: { n: 1 } }
    const { event, key } = receivedOf({ ...JOB, data }, 'mail')
    expect(event.attributes).toMatchObject({ id: 'a', source: '/shop', type: 'paid' })
    expect(Buffer.from(event.data).toString()).toBe('{"n":1}')
    expect(key).toBe(receivedOf(JOB, 'mail').key)
  })

  it('that comes again has the same key and event, and is marked', () => {
    const first = receivedOf(JOB, 'mail')
    const again = receivedOf({ ...JOB, attemptsStarted: 2 }, 'mail')
    expect(again).toEqual({ ...first, redelivered: true })
    expect(first.redelivered).toBe(false)
  })

  it.each([
    ['is retried by hand', { attemptsMade: 1 }],
    ['is added again under the same id', { timestamp: JOB.timestamp + 1 }],
  ])('that %s has another key', (_, change) => {
    expect(receivedOf({ ...JOB, ...change }, 'mail').key).not.toBe(receivedOf(JOB, 'mail').key)
  })
})
