import { describe, expect, it } from 'vitest'

import type { InvokeHead } from '#core/frames'
import { cgiEnvironment, plainHead, readCgiOutput } from '#invoker/sandbox/wasm/preview1/cgi'

const bytes = (text: string): Uint8Array => Buffer.from(text, 'latin1')

function head(given: Partial<InvokeHead> = {}): InvokeHead {
  const base = {
    id: 'x',
    method: 'GET',
    target: '/',
    origin: 'http://h.test:8787',
    headers: [],
    attempt: 1,
    deadline: 0,
  }
  return { ...base, ...given }
}

describe('cgiEnvironment()', () => {
  it('says what RFC 3875 wants said', () => {
    const request = head({
      method: 'POST',
      target: '/a%20b/c?x=%20&y',
      headers: [
        ['content-type', 'text/plain'],
        ['content-length', '3'],
        ['x-some-header', 'v'],
      ],
    })
    expect(cgiEnvironment(request, 3, { MINE: 'm' })).toEqual({
      GATEWAY_INTERFACE: 'CGI/1.1',
      SERVER_SOFTWARE: 'hearth',
      SERVER_PROTOCOL: 'HTTP/1.1',
      SERVER_NAME: 'h.test',
      SERVER_PORT: '8787',
      REQUEST_METHOD: 'POST',
      REQUEST_URI: '/a%20b/c?x=%20&y',
      SCRIPT_NAME: '',
      PATH_INFO: '/a b/c',
      QUERY_STRING: 'x=%20&y',
      CONTENT_TYPE: 'text/plain',
      CONTENT_LENGTH: '3',
      HTTP_X_SOME_HEADER: 'v',
      MINE: 'm',
    })
  })

  it('joins headers of one name, cookies by semicolons', () => {
    const pairs = [
      ['accept', 'a'],
      ['accept', 'b'],
      ['cookie', 'c=1'],
      ['cookie', 'd=2'],
    ] as const
    expect(cgiEnvironment(head({ headers: pairs }), 0, {})).toMatchObject({
      HTTP_ACCEPT: 'a, b',
      HTTP_COOKIE: 'c=1; d=2',
    })
  })

  it('makes no HTTP_PROXY of a header, and lets no header override what the spec says', () => {
    const pairs = [
      ['proxy', 'http://evil.test'],
      ['mode', 'evil'],
    ] as const
    const variables = cgiEnvironment(head({ headers: pairs }), 0, { HTTP_MODE: 'mine', PATH_INFO: '/fixed' })
    expect(variables.HTTP_PROXY).toBeUndefined()
    expect(variables).toMatchObject({ HTTP_MODE: 'mine', PATH_INFO: '/fixed' })
  })

  it('leaves a path that cannot be decoded as it is', () => {
    expect(cgiEnvironment(head({ target: '/%zz' }), 0, {}).PATH_INFO).toBe('/%zz')
  })
})

describe('readCgiOutput()', () => {
  it.each([
    ['Status: 404 Not Found\nContent-Type: text/html\n\nbody', 404, [['content-type', 'text/html']], 'body'],
    [
      'content-type:text/plain\r\nX-A: 1\r\n\r\n\n',
      200,
      [
        ['content-type', 'text/plain'],
        ['x-a', '1'],
      ],
      '\n',
    ],
    ['Location: /there\n\n', 302, [['location', '/there']], ''],
    [
      'Set-Cookie: a=1\nSet-Cookie: b=2\nStatus: 204\n\n',
      204,
      [
        ['set-cookie', 'a=1'],
        ['set-cookie', 'b=2'],
      ],
      '',
    ],
  ] as const)('reads the head of %j', (output, status, headers, body) => {
    const read = readCgiOutput(bytes(output))
    if (read.kind !== 'head') throw new Error(read.kind)
    expect(read.head).toEqual({ status, headers })
    expect(Buffer.from(read.body).toString()).toBe(body)
  })

  it.each(['', 'Con', 'Content-Type', 'Content-Type: text/plain', 'Content-Type: text/plain\n', 'A: b\nStat'])(
    'waits for more after %j',
    (output) => {
      expect(readCgiOutput(bytes(output)).kind).toBe('undecided')
    },
  )

  it.each([
    'Hello, world\n',
    'hello\nContent-Type: text/plain\n\n',
    '\nContent-Type: text/plain\n\n',
    'Note: this is a text\n\nand no head',
    '{"a": 1}',
    '<html>\n',
    '\x00\x01\x02',
    `A: ${'x'.repeat(70_000)}`,
  ])('takes output that begins with %.20j for a body', (output) => {
    expect(readCgiOutput(bytes(output)).kind).toBe('plain')
  })
})

describe('plainHead()', () => {
  it('tells text from bytes', () => {
    expect(plainHead(Buffer.from('grüße')).headers).toEqual([['content-type', 'text/plain; charset=utf-8']])
    expect(plainHead(Buffer.from([0xff, 0xfe])).headers).toEqual([['content-type', 'application/octet-stream']])
    expect(plainHead(Buffer.from('a\0b')).headers).toEqual([['content-type', 'application/octet-stream']])
  })
})
