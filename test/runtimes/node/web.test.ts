import { describe, expect, test } from 'vitest'

import { type Doing, native, ours, outcomeOf } from './classes.ts'

async function describeResponse(response: Response): Promise<unknown> {
  const { status, statusText, ok, type, url, redirected } = response
  const hasBody = response.body !== null
  return {
    status,
    statusText,
    ok,
    type,
    url,
    redirected,
    hasBody,
    headers: [...response.headers],
    text: await response.text(),
  }
}

const HEADERS: Record<string, Doing> = {
  'a record': (c) => [...new c.Headers({ B: '2', a: '1' })],
  pairs: (c) => [
    ...new c.Headers([
      ['a', '1'],
      ['A', '2'],
    ]),
  ],
  'another Headers': (c) => [...new c.Headers(new c.Headers({ a: 'b' }))],
  'values that are no text': (c) => [...new c.Headers({ a: 1 as unknown as string, b: null as unknown as string })],
  'spaces around a value': (c) => new c.Headers({ a: ' \t b c \t' }).get('a'),
  'an empty value': (c) => new c.Headers({ a: '' }).get('a'),
  'a name that is not valid': (c) => new c.Headers({ 'a b': '1' }),
  'an empty name': (c) => new c.Headers({ '': '1' }),
  'a line break': (c) => new c.Headers({ a: 'b\nc' }),
  'text that is no bytes': (c) => new c.Headers({ a: 'ł' }),
  'Latin-1': (c) => new c.Headers({ a: 'é' }).get('a'),
  null: (c) => new c.Headers(null as unknown as Record<string, string>),
  'a number': (c) => new c.Headers(1 as unknown as Record<string, string>),
  'a pair of three': (c) => new c.Headers([['a', 'b', 'c'] as unknown as [string, string]]),
  'set, append, delete, has': (c) => {
    const headers = new c.Headers()
    headers.set('A', '1')
    headers.append('a', '2')
    headers.append('b', '3')
    headers.delete('B')
    return [headers.get('a'), headers.has('B'), headers.get('b')]
  },
  cookies: (c) => {
    const headers = new c.Headers({ z: '1' })
    headers.append('Set-Cookie', 'a=1')
    headers.append('set-cookie', 'b=2')
    const before = [...headers]
    headers.set('set-cookie', 'c=3')
    return [before, headers.getSetCookie(), headers.get('set-cookie')]
  },
  iteration: (c) => {
    const headers = new c.Headers({ b: '2', a: '1' })
    const each: string[] = []
    headers.forEach((value, name, all) => each.push(`${name}=${value} ${all === headers}`))
    return [
      [...headers.keys()],
      [...headers.values()],
      [...headers.entries()],
      each,
      Object.prototype.toString.call(headers),
    ]
  },
}

const RESPONSES: Record<string, Doing> = {
  nothing: (c) => describeResponse(new c.Response()),
  text: (c) => describeResponse(new c.Response('hi')),
  'empty text': (c) => describeResponse(new c.Response('')),
  'bytes and headers': (c) => describeResponse(new c.Response(new Uint8Array([104, 105]), { headers: { A: 'b' } })),
  'a view of a buffer': (c) => describeResponse(new c.Response(new Uint16Array([26984]).subarray(0))),
  'an ArrayBuffer': (c) => describeResponse(new c.Response(new TextEncoder().encode('ab').buffer)),
  'search parameters': (c) => describeResponse(new c.Response(new URLSearchParams({ a: 'b c' }))),
  'a blob': (c) => describeResponse(new c.Response(new Blob(['x'], { type: 'image/x' }))),
  'a stream': (c) => describeResponse(new c.Response(ReadableStream.from([Buffer.from('a'), Buffer.from('b')]))),
  'a number': (c) => describeResponse(new c.Response(7 as unknown as string)),
  'an object': (c) => describeResponse(new c.Response({} as unknown as string)),
  'a Content-Type of its own': (c) => describeResponse(new c.Response('hi', { headers: { 'Content-Type': 'x/y' } })),
  'a status': (c) => describeResponse(new c.Response('hi', { status: 404, statusText: 'Gone fishing' })),
  'a status as text': (c) => describeResponse(new c.Response('hi', { status: '201' as unknown as number })),
  'a status that is too small': (c) => new c.Response('hi', { status: 199 }),
  'a status that is too large': (c) => new c.Response('hi', { status: 600 }),
  'no body with 204': (c) => describeResponse(new c.Response(null, { status: 204 })),
  'a body with 204': (c) => new c.Response('', { status: 204 }),
  'a body with 304': (c) => new c.Response('x', { status: 304 }),
  'another response as its init': (c) =>
    describeResponse(new c.Response('b', new c.Response('a', { status: 201, headers: { x: 'y' } }))),
  json: (c) => describeResponse(c.Response.json({ a: [1, 'ü'] })),
  'json with init': (c) =>
    describeResponse(c.Response.json(null, { status: 400, headers: { 'content-type': 'a/b', x: 'y' } })),
  'json of nothing': (c) => c.Response.json(undefined),
  redirect: (c) => describeResponse(c.Response.redirect('http://a.b/c d', 307)),
  'redirect with another status': (c) => c.Response.redirect('http://a.b/', 200 as 302),
  'redirect to no URL': (c) => c.Response.redirect('//'),
  error: (c) => {
    const { status, type, ok } = c.Response.error()
    return [status, type, ok]
  },
  'reading twice': async (c) => {
    const response = new c.Response('hi')
    await response.text()
    return [response.bodyUsed, await outcomeOf(() => response.text(), c), await outcomeOf(() => response.clone(), c)]
  },
  'reading nothing twice': async (c) => {
    const response = new c.Response(null)
    return [await response.text(), await response.text(), response.bodyUsed]
  },
  'a byte order mark': (c) => new c.Response(new Uint8Array([0xef, 0xbb, 0xbf, 97])).text(),
  'bytes that are not UTF-8': (c) => new c.Response(new Uint8Array([0xff, 97])).text(),
  'half of a character': (c) => new c.Response('\ud800').text(),
  'all ways to read': async (c) => {
    const make = (): Response => new c.Response('[1]')
    const buffer = await make().arrayBuffer()
    return [await make().json(), [...(await make().bytes())], [...new Uint8Array(buffer)], (await make().blob()).type]
  },
  'JSON that is none': (c) => new c.Response('{').json(),
  'a form': async (c) => [...(await new c.Response(new URLSearchParams({ a: 'b' })).formData())],
  'a clone': async (c) => {
    const response = new c.Response(ReadableStream.from([Buffer.from('ab')]), { status: 201, headers: { x: 'y' } })
    const copy = response.clone()
    return [await describeResponse(copy), await describeResponse(response)]
  },
  'a body that is read by hand': async (c) => {
    const response = new c.Response('abc')
    const reader = response.body?.getReader()
    const { value } = (await reader?.read()) ?? {}
    return [Buffer.from(value ?? []).toString(), response.bodyUsed, await outcomeOf(() => response.text(), c)]
  },
  'a body that is locked': (c) => {
    const response = new c.Response('abc')
    response.body?.getReader()
    return response.text()
  },
  'bytes that change afterwards': (c) => {
    const bytes = new Uint8Array([97])
    const response = new c.Response(bytes)
    bytes[0] = 98
    return response.text()
  },
  'a stream of text': async (c) => Array.fromAsync(new c.Response('aü').textStream()),
  'a stream of no text': async (c) => Array.fromAsync(new c.Response(null).textStream()),
  'its name': (c) => Object.prototype.toString.call(new c.Response()),
}

describe('Headers of the node runtime', () => {
  test.each(Object.entries(HEADERS))('%s', async (_name, doing) => {
    expect(await outcomeOf(doing, ours)).toEqual(await outcomeOf(doing, native))
  })
})

describe('Response of the node runtime', () => {
  test.each(Object.entries(RESPONSES))('%s', async (_name, doing) => {
    expect(await outcomeOf(doing, ours)).toEqual(await outcomeOf(doing, native))
  })
})
