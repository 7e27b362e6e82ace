import { describe, expect, it } from 'vitest'

import { checkOptions, FIELDS } from '#gateway/sources/amqp/options'
import { parseFields } from '#gateway/sources/fields'

function check(given: Readonly<Record<string, unknown>>): void {
  checkOptions(parseFields(FIELDS, { url: 'amqp://127.0.0.1', queue: 'orders', ...given }, 'source'))
}

describe('the options of an amqp trigger', () => {
  it.each([
    {},
    { url: 'amqps://ada:secret@mq.example:5671/shop' },
    { declare: 'quorum', exchange: 'shop', routingKeys: ['order.*', 'refund.#'] },
    { exchange: 'fanned out' },
  ])('may be %j', (given) => check(given))

  it.each([
    [{ url: 'http://127.0.0.1' }, 'source.url'],
    [{ url: 'amqp://127.0.0.1?heartbeat=0' }, 'source.url'],
    [{ url: undefined }, 'source.url'],
    [{ queue: undefined }, 'source.queue'],
    [{ queue: 'a\nb' }, 'source.queue'],
    [{ declare: 'stream' }, 'source.declare'],
    [{ routingKeys: ['order.*'] }, 'source.exchange'],
    [{ url: 'amqp://127.0.0.1', tlsKey: 'PRIVATE' }, 'source.tlsKey'],
  ])('are refused as %j, naming the field', (given, field) => {
    expect(() => check(given)).toThrow(expect.objectContaining({ code: 'invalid-trigger', members: { field } }))
  })

  it('are refused without showing a password', () => {
    expect(() => check({ url: 'amqp://ada:secret@127.0.0.1?heartbeat=0' })).not.toThrow(/secret/)
  })
})
