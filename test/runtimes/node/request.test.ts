import { describe, expect, test } from 'vitest'

import { type Doing, native, ours, outcomeOf, requestOf } from './classes.ts'

async function describeRequest(request: Request): Promise<unknown> {
  const {
    method,
    url,
    mode,
    credentials,
    cache,
    redirect,
    referrer,
    referrerPolicy,
    integrity,
    keepalive,
    destination,
  } = request
  const fields = {
    method,
    url,
    mode,
    credentials,
    cache,
    redirect,
    referrer,
    referrerPolicy,
    integrity,
    keepalive,
    destination,
  }
  const headers = [...request.headers].filter(([name]) => name !== 'content-type' || !request.url.endsWith('/form'))
  return {
    ...fields,
    aborted: request.signal.aborted,
    hasBody: request.body !== null,
    headers,
    text: await request.text(),
  }
}

const URL_TEXT = 'http://a.test/b?c#d'
const REQUESTS: Record<string, Doing> = {
  'a URL': (c) => describeRequest(new c.Request(URL_TEXT)),
  'a URL object': (c) => describeRequest(new c.Request(new URL(URL_TEXT))),
  'a URL that is not normal': (c) => describeRequest(new c.Request('HTTP://A.test:80/b c/../ü')),
  'no URL': (c) => new c.Request('/only/a/path'),
  'a URL with credentials': (c) => new c.Request('http://user:secret@a.test/'),
  'a method': (c) => describeRequest(new c.Request(URL_TEXT, { method: 'post', body: 'x' })),
  'a method that is not normalized': (c) => describeRequest(new c.Request(URL_TEXT, { method: 'purge', body: 'x' })),
  'a method that is forbidden': (c) => new c.Request(URL_TEXT, { method: 'trace' }),
  'a method that is no token': (c) => new c.Request(URL_TEXT, { method: 'a b' }),
  'GET with a body': (c) => new c.Request(URL_TEXT, { body: 'x' }),
  'headers and bytes': (c) =>
    describeRequest(new c.Request(URL_TEXT, { method: 'PUT', headers: { A: 'b' }, body: new Uint8Array([97]) })),
  'search parameters': (c) =>
    describeRequest(new c.Request(URL_TEXT, { method: 'POST', body: new URLSearchParams({ a: 'b' }) })),
  'a stream with duplex': (c) =>
    describeRequest(
      new c.Request(URL_TEXT, { method: 'POST', body: ReadableStream.from([Buffer.from('a')]), duplex: 'half' }),
    ),
  'a stream without duplex': (c) =>
    new c.Request(URL_TEXT, { method: 'POST', body: ReadableStream.from([Buffer.from('a')]) }),
  'its fields': (c) =>
    describeRequest(
      new c.Request(URL_TEXT, {
        cache: 'no-store',
        credentials: 'omit',
        integrity: 'sha256-x',
        keepalive: true,
        mode: 'same-origin',
        redirect: 'manual',
        referrerPolicy: 'origin',
      }),
    ),
  'a field that is not valid': (c) => new c.Request(URL_TEXT, { redirect: 'never' as 'error' }),
  'a signal': async (c) => {
    const caller = new AbortController()
    const request = new c.Request(URL_TEXT, { signal: caller.signal })
    const before = request.signal.aborted
    caller.abort('why')
    return [before, request.signal.aborted, request.signal.reason]
  },
  'a signal that is none': (c) => new c.Request(URL_TEXT, { signal: {} as AbortSignal }),
  'another request': async (c) => {
    const first = new c.Request(URL_TEXT, { method: 'POST', headers: { a: 'b' }, body: 'x', redirect: 'error' })
    const second = new c.Request(first)
    return [await describeRequest(second), first.bodyUsed, await outcomeOf(() => first.text(), c)]
  },
  'another request with other init': async (c) => {
    const first = new c.Request(URL_TEXT, { method: 'POST', headers: { a: 'b' }, body: 'x' })
    const second = new c.Request(first, { method: 'PUT', headers: { c: 'd' }, body: 'y' })
    return [await describeRequest(second), first.bodyUsed]
  },
  'a request that has been read': async (c) => {
    const first = new c.Request(URL_TEXT, { method: 'POST', body: 'x' })
    await first.text()
    return new c.Request(first)
  },
  'a clone': async (c) => {
    const request = new c.Request(URL_TEXT, { method: 'POST', headers: { a: 'b' }, body: 'x' })
    const copy = request.clone()
    copy.headers.set('a', 'c')
    return [await describeRequest(copy), await describeRequest(request)]
  },
  'a form with a file': async (c) => {
    const form = new FormData()
    form.set('a "quoted" name', 'line\nline')
    form.set('file', new File(['content'], 'n\u00e4me.txt', { type: 'text/x' }))
    const read = await new c.Request('http://a.test/form', { method: 'POST', body: form }).formData()
    const file = read.get('file') as File
    return [[...read.keys()], read.get('a "quoted" name'), file.name, file.type, await file.text()]
  },
}

describe('Request of the node runtime, made of', () => {
  test.each(Object.entries(REQUESTS))('%s', async (_name, doing) => {
    expect(await outcomeOf(doing, ours)).toEqual(await outcomeOf(doing, native))
  })
})

describe('Request of a call in the node runtime', () => {
  const call = {
    method: 'PUT',
    target: '/a b?c=ü#d',
    origin: 'http://h.test:8787',
    headers: [
      ['b', '1'],
      ['a', '2'],
      ['b', '3'],
      ['cookie', 'x=1'],
      ['cookie', 'y=2'],
    ],
    body: { whole: Buffer.from('{"a":1}') },
    signal: new AbortController().signal,
  }

  test('has the properties that Node gives it', () => {
    const request = requestOf(call)
    const like = new Request('http://h.test:8787/a b?c=ü#d', {
      method: 'PUT',
      body: '{"a":1}',
      duplex: 'half',
    })
    for (const name of Object.keys(Object.getOwnPropertyDescriptors(Request.prototype)) as (keyof Request)[]) {
      const value = like[name]
      if (['string', 'boolean'].includes(typeof value)) expect([name, request[name]]).toEqual([name, value])
      else if (value !== undefined) expect([name, name in request]).toEqual([name, true])
    }
    expect(request.signal).toBe(call.signal)
  })

  test('joins headers of the same name', () => {
    const { headers } = requestOf(call)
    expect([...headers]).toEqual([
      ['a', '2'],
      ['b', '1, 3'],
      ['cookie', 'x=1; y=2'],
    ])
  })

  test('reads its body, once', async () => {
    const request = requestOf(call)
    expect(await request.json()).toEqual({ a: 1 })
    await expect(request.text()).rejects.toThrow(TypeError)
    expect(request.bodyUsed).toBe(true)
  })

  test('has no body when nothing was sent', async () => {
    const request = requestOf({ ...call, body: null })
    expect(request.body).toBe(null)
    expect(await request.text()).toBe('')
  })
})
