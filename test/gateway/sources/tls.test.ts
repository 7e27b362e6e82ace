import { describe, expect, it } from 'vitest'

import { parseFields } from '#gateway/sources/fields'
import { checkTls, TLS_FIELDS, tlsOptions } from '#gateway/sources/tls'

const CERTIFICATE = '-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n'
const KEY = '-----BEGIN EC PRIVATE KEY-----\nMHcC\n-----END EC PRIVATE KEY-----\n'

function check(url: string, given: Readonly<Record<string, string>>): object {
  const options = parseFields(TLS_FIELDS, given, 'source')
  checkTls({ url, ...options }, 'amqps:')
  return tlsOptions(options)
}

describe('the fields for TLS', () => {
  it('are what node:tls takes', () => {
    expect(check('amqp://host', {})).toEqual({})
    expect(check('amqps://host', { tlsCa: CERTIFICATE + CERTIFICATE })).toEqual({ ca: CERTIFICATE + CERTIFICATE })
    const own = { tlsCertificate: CERTIFICATE, tlsKey: KEY }
    expect(check('amqps://host', own)).toEqual({ cert: CERTIFICATE, key: KEY })
  })

  it.each([
    ['amqps://host', { tlsCa: '/etc/ca.pem' }, 'source.tlsCa'],
    ['amqps://host', { tlsKey: CERTIFICATE }, 'source.tlsKey'],
    ['amqps://host', { tlsKey: KEY }, 'source.tlsKey'],
    ['amqps://host', { tlsCertificate: CERTIFICATE }, 'source.tlsKey'],
    ['amqp://host', { tlsCa: CERTIFICATE }, 'source.url'],
  ])('are refused with %s and %j, naming the field', (url, given, field) => {
    expect(() => check(url, given)).toThrow(expect.objectContaining({ code: 'invalid-trigger', members: { field } }))
    expect(() => check(url, given)).not.toThrow(/MHcC/)
  })
})
