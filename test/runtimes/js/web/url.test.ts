import { describe, expect, it } from 'vitest'

import { URLSearchParams as OurParams } from '#runtimes/js/web/url-search-params'
import { URL as OurUrl } from '#runtimes/js/web/url'

const PARTS = [
  'http://',
  'HTTPS:',
  'file:///',
  'file:',
  'foo:',
  'foo://',
  '//',
  '/',
  '\\',
  '?',
  '#',
  'a',
  'b.c',
  '..',
  '.',
  '%2e',
  '%2E.',
  ':',
  '@',
  'u:p@',
  ':80',
  ':443',
  ':99999',
  '[::1]',
  '[1:2::8]',
  '[::ffff:1.2.3.4]',
  '127.1',
  '0x7f.1',
  '256',
  '1.2.3.4',
  'ex ample',
  'é',
  'ünï.de',
  '日本',
  'C:',
  'C|',
  ' ',
  '\t',
  '\n',
  "'",
  '"',
  '<',
  '`',
  '{',
  '^',
  '|',
  '%',
  '%zz',
  '😀',
  '\ud800',
  'localhost',
  '&=+',
  'mailto:',
  'data:',
  'ws:',
  '//x',
  'A',
]
const BASES = [
  undefined,
  'http://h.x/a/b?q#f',
  'file:///C:/x/y',
  'foo:opaque',
  'foo://h/p/q',
  'file://host/a',
  'foo:/a/b',
]
const SETTERS = ['protocol', 'username', 'password', 'host', 'hostname', 'port', 'pathname', 'search', 'hash'] as const
const VALUES = [
  '',
  'x',
  'a b',
  '/p/../q',
  '?x=y',
  '#h',
  'http',
  'https:',
  'foo',
  '8080',
  '80',
  '65536',
  'ex.com',
  'ex.com:81',
  '[::1]',
  '[::1]:3',
  'é',
  ':',
  '\\a',
  'user',
  'p@w',
  '1.2',
  '%41',
  '日',
  '/',
  '//a',
  'a?b#c',
]
const READ = ['href', 'origin', ...SETTERS] as const

type AnyUrl = Record<(typeof READ)[number], string>

/** The same numbers in every run. */
function numbers(seed: number): (below: number) => number {
  let state = seed
  return (below) => {
    state = (state * 1_103_515_245 + 12_345) & 0x7fffffff
    return (state >> 8) % below
  }
}

function pick<T>(list: readonly T[], next: (below: number) => number): T {
  return list[next(list.length)] as T
}

function parsed(Url: new (input: string, base?: string) => AnyUrl, input: string, base?: string): AnyUrl | undefined {
  try {
    return new Url(input, base)
  } catch {
    return undefined
  }
}

function shown(url: AnyUrl | undefined): string {
  return url === undefined ? 'invalid' : READ.map((name) => `${name}=${url[name]}`).join(' ')
}

describe('URL', () => {
  it('reads what Node reads, in 10,000 combinations of parts and bases, and sets what Node sets', () => {
    const next = numbers(12_345)
    for (let round = 0; round < 10_000; round++) {
      const input = Array.from({ length: 1 + next(6) }, () => pick(PARTS, next)).join('')
      const base = pick(BASES, next)
      const theirs = parsed(URL, input, base)
      const ours = parsed(OurUrl, input, base)
      expect(shown(ours), `${JSON.stringify(input)} against ${base}`).toBe(shown(theirs))
      if (theirs === undefined || ours === undefined) continue
      const [setter, value, before] = [pick(SETTERS, next), pick(VALUES, next), theirs.href]
      theirs[setter] = value
      ours[setter] = value
      expect(shown(ours), `${before}, ${setter} = ${JSON.stringify(value)}`).toBe(shown(theirs))
    }
  })

  it.each([
    'http://127.0.0.1:8787/fn/x/y?a=b&c=%20',
    'https://a-b.example:443/',
    'http://h:0080/a//b/',
    'http://h/a/../b',
    'http://h/a/.',
    'http://h/a/%2E%2e/b?..',
    'http://256.0.0.1/',
    'http://1.2.3.04/',
    'http://xn--/',
    'http://h/?',
    "http://h/a'b?c'd",
    'http://h',
  ])('reads %s as Node does', (text) => {
    expect(shown(parsed(OurUrl, text))).toBe(shown(parsed(URL, text)))
    expect(shown(parsed(OurUrl, text, 'http://base/'))).toBe(shown(parsed(URL, text, 'http://base/')))
  })

  it('writes changes of searchParams back', () => {
    const url = new OurUrl('http://a/?x=1&y=2')
    url.searchParams.append('z', 'ä ü')
    url.searchParams.delete('x')
    expect(url.href).toBe('http://a/?y=2&z=%C3%A4+%C3%BC')
    url.search = '?fresh=1'
    expect(url.searchParams.get('fresh')).toBe('1')
    url.searchParams.delete('fresh')
    expect(url.href).toBe('http://a/')
  })

  it('says what was not a URL', () => {
    expect(() => new OurUrl('/only/a/path')).toThrow(/^Invalid URL: "\/only\/a\/path"$/)
    expect(OurUrl.canParse('http://[')).toBe(false)
    expect(OurUrl.parse('http://[')).toBeNull()
    expect(JSON.stringify({ url: new OurUrl('http://a') })).toBe('{"url":"http://a/"}')
  })
})

describe('URLSearchParams', () => {
  it.each([
    '',
    '?',
    'a',
    'a=b&a=c',
    '&&=&=x&y=',
    'a+b=c%20d',
    '%zz=%',
    'é=😀',
    'a=%FF',
    '\ud800=x',
    'x=1=2',
    '%26=%3D',
  ])('reads and writes %j as Node does', (text) => {
    const [theirs, ours] = [new URLSearchParams(text), new OurParams(text)]
    expect([...ours]).toEqual([...theirs])
    expect(String(ours)).toBe(String(theirs))
  })

  it('takes pairs and objects, sorts, and tells sizes as Node does', () => {
    const pairs: [string, string][] = [
      ['b', '1'],
      ['a', '2'],
      ['b', '0'],
      ['ä', '3'],
    ]
    const [theirs, ours] = [new URLSearchParams(pairs), new OurParams(pairs)]
    for (const params of [theirs, ours]) {
      params.sort()
      params.set('b', 'x')
      params.append('c', '~*()')
    }
    expect(String(ours)).toBe(String(theirs))
    expect([ours.size, ours.has('a'), ours.has('a', '3'), ours.getAll('b')]).toEqual([4, true, false, ['x']])
    expect(String(new OurParams({ q: 'a&b' }))).toBe('q=a%26b')
    expect(() => new OurParams([['one']] as unknown as [string, string][])).toThrow(TypeError)
  })
})
