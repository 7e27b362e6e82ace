import { describe, expect, it } from 'vitest'

import { checkOptions, FIELDS } from '#gateway/sources/bullmq/options'
import { parseFields } from '#gateway/sources/fields'

function check(given: Readonly<Record<string, unknown>>): void {
  checkOptions(parseFields(FIELDS, { queue: 'mail', ...given }, 'source'))
}

describe('the options of a bullmq trigger', () => {
  it.each([{}, { url: 'redis://:secret@redis.example' }, { prefix: '{shop}', removeCompleted: true }])(
    'may be %j',
    (given) => check(given),
  )

  it.each([
    [{ queue: undefined }, 'source.queue'],
    [{ queue: 'shop:mail' }, 'source.queue'],
    [{ url: 'amqp://redis.example' }, 'source.url'],
    [{ url: 'redis://redis.example/mail' }, 'source.url'],
    [{ removeCompleted: 'soon' }, 'source.removeCompleted'],
  ])('must not be %j', (given, field) => {
    expect(() => check(given)).toThrow(expect.objectContaining({ members: { field } }))
  })
})
