import { describe, expect, it } from 'vitest'

import { parseFields } from '#gateway/sources/fields'
import { checkOptions, FIELDS } from '#gateway/sources/mqtt/options'

function check(given: Readonly<Record<string, unknown>>): void {
  checkOptions(parseFields(FIELDS, { url: 'mqtt://127.0.0.1', topics: ['a/b'], ...given }, 'source'))
}

describe('the options of an mqtt trigger', () => {
  it.each([
    {},
    { topics: 'a/+/c,#' },
    { topics: ['+', '/', 'a//b', '+/a/#', '$SYS/#', '$share/group/a/+', 'a b'] },
    { url: 'mqtts://ada:secret@broker.example:8883', clientId: 'hearth 1', sessionExpiryS: 4_294_967_295, qos: '2' },
  ])('may be %j', (given) => check(given))

  it.each([
    [{ url: 'ws://127.0.0.1' }, 'source.url'],
    [{ topics: [] }, 'source.topics'],
    [{ topics: undefined }, 'source.topics'],
    [{ topics: [''] }, 'source.topics'],
    [{ topics: ['a/#/b'] }, 'source.topics'],
    [{ topics: ['a+/b'] }, 'source.topics'],
    [{ topics: ['a#'] }, 'source.topics'],
    [{ topics: ['$share/group'] }, 'source.topics'],
    [{ topics: ['$share/gr+up/a'] }, 'source.topics'],
    [{ qos: '0' }, 'source.qos'],
    [{ clientId: 'a\0b' }, 'source.clientId'],
    [{ sessionExpiryS: 0 }, 'source.sessionExpiryS'],
    [{ retained: 'twice' }, 'source.retained'],
  ])('are refused as %j, naming the field', (given, field) => {
    expect(() => check(given)).toThrow(expect.objectContaining({ code: 'invalid-trigger', members: { field } }))
  })
})
