import { describe, expect, it } from 'vitest'

import { connected } from '#gateway/sources/connecting'

interface Fake {
  closed: number
}

function connect(connection: Promise<Fake>, signal: AbortSignal = new AbortController().signal): Promise<Fake> {
  const url = 'amqp://ada:secret@mq.example:5673/shop'
  return connected({ broker: 'RabbitMQ', url, connection, close: (fake) => (fake.closed += 1), signal })
}

describe('a connection', () => {
  it('is handed on as it is', async () => {
    const fake = { closed: 0 }
    expect(await connect(Promise.resolve(fake))).toBe(fake)
    expect(fake.closed).toBe(0)
  })

  it.each([
    [new Error('connect ETIMEDOUT'), 'connect ETIMEDOUT'],
    [new AggregateError([new Error('connect ECONNREFUSED ::1:5673')]), 'connect ECONNREFUSED ::1:5673'],
    [new Error(''), 'no answer'],
    ['odd', 'no answer'],
  ])('that fails with %j says where and why, without secrets', async (reason, words) => {
    const failed = connect(Promise.reject(reason))
    await expect(failed).rejects.toThrow(`cannot connect to RabbitMQ at mq.example:5673: ${words}`)
    await expect(failed).rejects.not.toThrow('secret')
  })

  it('that comes when nobody waits any more is closed', async () => {
    const stop = new AbortController()
    const fake = { closed: 0 }
    const late = Promise.withResolvers<Fake>()
    const waiting = connect(late.promise, stop.signal)
    stop.abort(new Error('the trigger stops'))
    await expect(waiting).rejects.toThrow('the trigger stops')
    late.resolve(fake)
    await expect.poll(() => fake.closed).toBe(1)
  })

  it('that is not wanted any more is not waited for', async () => {
    const never = new Promise<Fake>(() => {})
    await expect(connect(never, AbortSignal.abort(new Error('the trigger stops')))).rejects.toThrow('the trigger stops')
  })
})
