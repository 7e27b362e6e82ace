import { describe, expect, it } from 'vitest'

import { parseFields } from '#gateway/sources/fields'
import { checkOptions, FIELDS } from '#gateway/sources/redis-stream/options'

const CERTIFICATE = '-----BEGIN CERTIFICATE-----\nMII\n-----END CERTIFICATE-----\n'

function check(given: Readonly<Record<string, unknown>>): void {
  checkOptions(parseFields(FIELDS, { stream: 'orders', ...given }, 'source'))
}

describe('the options of a redis-stream trigger', () => {
  it.each([
    {},
    { url: 'redis://ada:secret@redis.example:7000/3' },
    { url: 'unix:///run/redis.sock?db=2' },
    { url: 'rediss://redis.example', tlsCa: CERTIFICATE },
    { group: 'billing', start: '1767323045678-3', field: 'data', claimAfterMs: '60000', delete: 'true' },
  ])('may be %j', (given) => check(given))

  it.each([
    [{ stream: undefined }, 'source.stream'],
    [{ url: 'http://redis.example' }, 'source.url'],
    [{ url: 'redis://redis.example/orders' }, 'source.url'],
    [{ url: 'redis://redis.example', tlsCa: CERTIFICATE }, 'source.url'],
    [{ tlsCa: CERTIFICATE }, 'source.url'],
    [{ start: 'tomorrow' }, 'source.start'],
    [{ claimAfterMs: -1 }, 'source.claimAfterMs'],
    [{ stream: 'a\nb' }, 'source.stream'],
  ])('must not be %j', (given, field) => {
    expect(() => check(given)).toThrow(expect.objectContaining({ members: { field } }))
  })

  it('keeps a password out of what is wrong with a URL', () => {
    expect(() => check({ url: 'http://ada:secret@redis.example' })).toThrow(/^(?!.*secret).*redis:, rediss:, unix:/)
  })
})
