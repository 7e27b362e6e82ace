import { describe, expect, it } from 'vitest'

import { events, ndjson } from '#cli/streams'

async function* bytes(...texts: string[]): AsyncGenerator<Uint8Array> {
  for (const text of texts) yield Buffer.from(text)
}

describe('ndjson()', () => {
  it('joins what came in pieces, also within a character', async () => {
    const whole = Buffer.from('{"a":"ü"}\n{"b":2}')
    async function* pieces(): AsyncGenerator<Uint8Array> {
      for (const byte of whole) yield Uint8Array.of(byte)
    }
    expect(await Array.fromAsync(ndjson(pieces()))).toEqual([{ a: 'ü' }, { b: 2 }])
  })
})

describe('events()', () => {
  it('takes the data of each event and leaves comments out', async () => {
    const stream = bytes(
      ': hello\n\n',
      'event: line\ndata: {"a":1}\n\nda',
      'ta: {"b":\r\n',
      'data: 2}\r\n\r\n: ping\n\n',
    )
    expect(await Array.fromAsync(events(stream))).toEqual([{ a: 1 }, { b: 2 }])
  })
})
