import { describe, expect, it } from 'vitest'

import { parseFields } from '#gateway/sources/fields'
import { checkOptions, FIELDS } from '#gateway/sources/postgres/options'

const CERTIFICATE = '-----BEGIN CERTIFICATE-----\nMII\n-----END CERTIFICATE-----\n'
const URL = 'postgres://ada:secret@db.example/shop'

function check(given: Readonly<Record<string, unknown>>): void {
  checkOptions(parseFields(FIELDS, { url: URL, table: 'outbox', ...given }, 'source'))
}

describe('the options of a postgres trigger', () => {
  it.each([
    {},
    { table: 'shop.Outbox_2', channel: 'orders' },
    { table: '', channel: 'orders' },
    { url: 'postgresql:///shop?host=/run/postgresql' },
    { url: `${URL}?sslmode=require`, tlsCa: CERTIFICATE },
    { typeColumn: 'kind', timeColumn: 'created_at', processedColumn: 'processed_at', pollMs: '250' },
  ])('may be %j', (given) => check(given))

  it.each([
    [{ url: undefined }, 'source.url'],
    [{ url: 'mysql://db.example/shop' }, 'source.url'],
    [{ url: `${URL}?sslmode=sometimes` }, 'source.url'],
    [{ url: `${URL}?sslrootcert=/etc/passwd` }, 'source.url'],
    [{ tlsCa: CERTIFICATE }, 'source.url'],
    [{ url: `${URL}?sslmode=require`, tlsCertificate: CERTIFICATE }, 'source.tlsKey'],
    [{ table: '' }, 'source.table'],
    [{ table: 'outbox; DROP TABLE outbox' }, 'source.table'],
    [{ table: 'a.b.c' }, 'source.table'],
    [{ idColumn: 'id"' }, 'source.idColumn'],
    [{ channel: 'a b' }, 'source.channel'],
    [{ pollMs: 1 }, 'source.pollMs'],
  ])('must not be %j', (given, field) => {
    expect(() => check(given)).toThrow(expect.objectContaining({ members: { field } }))
  })

  it('shows no password', () => {
    expect(() => check({ url: `${URL}?sslmode=sometimes` })).toThrow(/^(?!.*secret)/)
    expect(() => check({ url: URL.replace('postgres:', 'mysql:') })).toThrow(/^(?!.*secret)/)
  })
})
