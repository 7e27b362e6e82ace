import { describe, expect, it } from 'vitest'

import { parseFields } from '#gateway/sources/fields'
import { checkOptions, FIELDS } from '#gateway/sources/nats/options'

const NKEY_SEED = `SU${'A'.repeat(56)}`

function check(given: Readonly<Record<string, unknown>>): void {
  checkOptions(parseFields(FIELDS, { url: 'nats://127.0.0.1:4222', stream: 'orders', ...given }, 'source'))
}

describe('the options of a nats trigger', () => {
  it.each([
    {},
    { url: 'nats://ada:secret@nats.example' },
    { url: 'nats://:token@nats.example' },
    { url: 'tls://nats.example:4222', credentials: NKEY_SEED },
    { subject: 'orders.*.paid.>', durable: 'billing', start: 'new' },
    { credentials: '-----BEGIN NATS USER JWT-----\neyJ\n------END NATS USER JWT------\n' },
  ])('may be %j', (given) => check(given))

  it.each([
    [{ url: 'http://127.0.0.1' }, 'source.url'],
    [{ stream: 'orders.paid' }, 'source.stream'],
    [{ subject: 'orders paid' }, 'source.subject'],
    [{ durable: 'a>b' }, 'source.durable'],
    [{ start: 'first' }, 'source.start'],
    [{ url: 'nats://token@127.0.0.1' }, 'source.url'],
    [{ url: 'nats://a:b@127.0.0.1', credentials: NKEY_SEED }, 'source.credentials'],
    [{ credentials: 'PRIVATE' }, 'source.credentials'],
    [{ tlsCa: 'PRIVATE' }, 'source.tlsCa'],
  ])('are refused as %j, naming the field', (given, field) => {
    expect(() => check(given)).toThrow(expect.objectContaining({ code: 'invalid-trigger', members: { field } }))
  })
})
