import { describe, expect, it } from 'vitest'

import { encodeUtf8, TextDecoder as OurDecoder, TextEncoder as OurEncoder } from '#runtimes/js/web/encoding'

const TEXTS = [
  '',
  'plain',
  'é€😀',
  '\ud800',
  'a\udfffb',
  '\ufeffbom',
  '\0',
  '퟿',
  '\u{10ffff}',
  'x'.repeat(10_000),
  '日'.repeat(5000),
]

/** Sequences around every border of UTF-8. */
const BYTES = [
  [0xc3],
  [0xe2, 0x82],
  [0xf0, 0x9f, 0x98],
  [0xf0, 0x9f, 0x41],
  [0xc0, 0x80],
  [0xc1, 0xbf],
  [0xe0, 0x9f, 0x80],
  [0xed, 0xa0, 0x80],
  [0xed, 0x9f, 0xbf],
  [0xf0, 0x8f, 0xbf, 0xbf],
  [0xf4, 0x90, 0x80, 0x80],
  [0xf5, 0x80, 0x80, 0x80],
  [0x80, 0xbf],
  [0xff, 0xfe],
  [0x41, 0xe2, 0x28, 0xa1, 0x42],
  [0xef, 0xbb, 0xbf, 0x41],
]

describe('TextEncoder', () => {
  it.each(TEXTS)('encodes %j as Node does', (text) => {
    expect([...new OurEncoder().encode(text)]).toEqual([...new TextEncoder().encode(text)])
  })

  it('fills what room there is without cutting a character', () => {
    const [ours, theirs] = [new Uint8Array(6), new Uint8Array(6)]
    expect(new OurEncoder().encodeInto('aé😀b', ours)).toEqual(new TextEncoder().encodeInto('aé😀b', theirs))
    expect(ours).toEqual(theirs)
  })
})

describe('TextDecoder', () => {
  it.each(BYTES)('replaces what is malformed in % as Node does', (...bytes) => {
    expect(new OurDecoder().decode(Uint8Array.from(bytes))).toBe(new TextDecoder().decode(Uint8Array.from(bytes)))
  })

  it('replaces as Node does in 2,000 random runs of bytes', () => {
    let state = 7
    for (let round = 0; round < 2000; round++) {
      const bytes = Uint8Array.from({ length: round % 40 }, () => {
        state = (state * 1_103_515_245 + 12_345) & 0x7fffffff
        return state >> 16
      })
      expect(new OurDecoder().decode(bytes), String(bytes)).toBe(new TextDecoder().decode(bytes))
    }
  })

  it('refuses what is malformed when fatal, and only that', () => {
    const fatal = new OurDecoder('utf-8', { fatal: true })
    expect(() => fatal.decode(Uint8Array.of(0xff))).toThrow(TypeError)
    expect(fatal.decode(encodeUtf8('é'))).toBe('é')
  })

  it('takes a byte order mark away once, unless told to keep it', () => {
    const bytes = Uint8Array.of(0xef, 0xbb, 0xbf, 0x41)
    expect(new OurDecoder().decode(bytes)).toBe('A')
    expect(new OurDecoder('utf-8', { ignoreBOM: true }).decode(bytes)).toBe('\ufeffA')
  })

  it('joins characters that are cut between chunks', () => {
    const bytes = encodeUtf8('aé€😀z')
    for (const size of [1, 2, 3, 5]) {
      const decoder = new OurDecoder()
      let text = ''
      for (let at = 0; at < bytes.length; at += size)
        text += decoder.decode(bytes.subarray(at, at + size), { stream: true })
      expect(text + decoder.decode(), `chunks of ${size}`).toBe('aé€😀z')
    }
    const cut = new OurDecoder()
    expect(cut.decode(Uint8Array.of(0xe2, 0x82), { stream: true }) + cut.decode()).toBe('\ufffd')
  })

  it('reads UTF-16 and windows-1252', () => {
    expect(new OurDecoder('utf-16le').decode(Uint8Array.of(0x41, 0, 0x3d, 0xd8, 0, 0xde, 0x42))).toBe('A😀\ufffd')
    const bytes = Uint8Array.from({ length: 256 }, (_, byte) => byte)
    expect(new OurDecoder('latin1').decode(bytes)).toBe(new TextDecoder('latin1').decode(bytes))
    expect(() => new OurDecoder('klingon')).toThrow(RangeError)
  })

  it('reads views where they lie', () => {
    const buffer = encodeUtf8('hello world').buffer
    expect(new OurDecoder().decode(new DataView(buffer, 6, 5))).toBe('world')
    expect(new OurDecoder().decode(buffer as ArrayBuffer)).toBe('hello world')
  })
})
