import { createServer, type IncomingMessage, type RequestListener, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { brotliCompressSync, gzipSync } from 'node:zlib'

import { afterEach, describe, expect, it } from 'vitest'

import { systemClock } from '#core/clock'
import { parseEgressRules } from '#core/egress'
import { EgressGate, type EgressOptions } from '#invoker/sandbox/wasm/egress'

const never = new AbortController().signal
const servers: Server[] = []
const gates: EgressGate[] = []

afterEach(() => {
  for (const server of servers.splice(0)) server.close().closeAllConnections()
  for (const gate of gates.splice(0)) gate[Symbol.dispose]()
})

async function listen(listener: RequestListener): Promise<number> {
  const server = createServer(listener)
  servers.push(server)
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return (server.address() as AddressInfo).port
}

/** Fetches with names that all resolve to loopback, unless told otherwise. */
function fetcher(rules: readonly string[], options: Partial<EgressOptions> = {}) {
  const gate = new EgressGate({ clock: systemClock, lookup: async () => ['127.0.0.1'], ...options })
  gates.push(gate)
  return async (url: string, request: Partial<Parameters<EgressGate['fetch']>[0]> = {}, signal = never) => {
    const full = { method: 'GET', headers: [], body: new Uint8Array(), redirect: 'follow', ...request, url } as const
    const { answer, body } = await gate.fetch(full, parseEgressRules(rules), signal)
    return { ...answer, text: Buffer.from(body).toString() }
  }
}

function failed(message: string): object {
  return { ok: false, message: expect.stringContaining(message) }
}

async function bodyOf(request: IncomingMessage): Promise<string> {
  let text = ''
  for await (const chunk of request) text += String(chunk)
  return text
}

describe('EgressGate.fetch()', () => {
  it('sends method, headers and body and gives back status, headers and body', async () => {
    const port = await listen(async (request, response) => {
      const body = await bodyOf(request)
      response.writeHead(
        201,
        [
          ['set-cookie', 'a=1'],
          ['set-cookie', 'b=2'],
        ].flat(),
      )
      response.end(
        `${request.method} ${request.url} ${String(request.headers['x-mine'])} ${request.headers.host} ${body}`,
      )
    })
    const fetch = fetcher(['api.test'])
    const body = Buffer.from('ping')
    const reply = await fetch(`http://api.test:${port}/p?q=1`, { method: 'POST', headers: [['x-mine', 'v']], body })
    expect(reply).toMatchObject({ ok: true, status: 201, text: `POST /p?q=1 v api.test:${port} ping` })
    if (!reply.ok) throw new Error('unreachable')
    expect(reply.headers.filter(([name]) => name === 'set-cookie').map(([, value]) => value)).toEqual(['a=1', 'b=2'])
  })

  it('connects to nothing that is not public', async () => {
    let connections = 0
    const port = await listen((_request, response) => {
      connections++
      response.end()
    })
    const fetch = fetcher([])
    for (const host of [
      '127.0.0.1',
      'localhost',
      '[::1]',
      '0.0.0.0',
      '[::ffff:127.0.0.1]',
      '2130706433',
      '127.1',
      'name.test',
    ]) {
      const reply = await fetch(`http://${host}:${port}/`)
      expect(reply).toMatchObject({ ok: false, message: expect.stringContaining('not a public address') })
    }
    expect(connections).toBe(0)
  })

  it('connects to the address that was judged, whatever the name resolves to by then', async () => {
    const port = await listen((_request, response) => response.end('private'))
    let lookups = 0
    // A public address nobody answers at, and from the second question on the address of the server.
    const lookup = async (): Promise<string[]> => [lookups++ === 0 ? '192.0.0.9' : '127.0.0.1']
    const rebinding = fetcher(['192.0.0.9'], { lookup, limits: { timeoutMs: 300 } })
    expect(await rebinding(`http://rebinding.test:${port}/`)).toMatchObject({ ok: false })
    expect(lookups).toBe(1)
    expect(await rebinding(`http://rebinding.test:${port}/`)).toMatchObject({
      ok: false,
      message: expect.stringContaining('resolves to 127.0.0.1'),
    })
  })

  it('takes the first address of a name that may be reached', async () => {
    const port = await listen((_request, response) => response.end('reached'))
    const fetch = fetcher(['127.0.0.0/8'], { lookup: async () => ['10.0.0.1', '127.0.0.1'] })
    expect(await fetch(`http://mixed.test:${port}/`)).toMatchObject({ ok: true, text: 'reached' })
  })

  it('judges the target of a redirect as well', async () => {
    const secret = await listen((_request, response) => response.end('secret'))
    const port = await listen((_request, response) => {
      response.writeHead(302, { location: `http://169.254.169.254:${secret}/latest/meta-data` }).end()
    })
    const fetch = fetcher([`open.test:${port}`])
    expect(await fetch(`http://open.test:${port}/`)).toMatchObject({
      ok: false,
      message: expect.stringContaining('169.254.169.254 is not a public address'),
    })
  })

  it('follows redirects as fetch does, and takes secrets along within one origin only', async () => {
    const seen: string[] = []
    const port = await listen(async (request, response) => {
      seen.push(
        `${request.method} ${request.headers.host} ${request.headers.authorization ?? '-'} ${await bodyOf(request)}`,
      )
      if (request.url === '/1') response.writeHead(307, { location: '/2' }).end()
      else if (request.url === '/2') response.writeHead(303, { location: `http://b.test:${port}/3` }).end()
      else response.end('there')
    })
    const fetch = fetcher(['*.test'])
    const request = { method: 'POST', headers: [['authorization', 'secret']], body: Buffer.from('x') } as const
    const there = { ok: true, status: 200, text: 'there', url: `http://b.test:${port}/3`, redirected: true }
    expect(await fetch(`http://a.test:${port}/1`, request)).toMatchObject(there)
    expect(seen).toEqual([`POST a.test:${port} secret x`, `POST a.test:${port} secret x`, `GET b.test:${port} - `])
    expect(await fetch(`http://a.test:${port}/1`, { redirect: 'manual' })).toMatchObject({
      ok: true,
      status: 307,
      url: `http://a.test:${port}/1`,
      redirected: false,
    })
    const refused = await fetch(`http://a.test:${port}/1`, { redirect: 'error' })
    expect(refused).toEqual({
      ok: false,
      text: '',
      message: expect.stringMatching(/^fetch failed: redirected to \/2,/),
    })
  })

  it('ends a chain of redirects that does not end', async () => {
    const port = await listen((_request, response) => response.writeHead(302, { location: '/' }).end())
    const fetch = fetcher(['a.test'], { limits: { maxRedirects: 3 } })
    expect(await fetch(`http://a.test:${port}/`)).toMatchObject({
      ok: false,
      message: 'fetch failed: more than 3 redirects',
    })
  })

  it('lets the guest say neither host nor framing', async () => {
    let received: IncomingMessage['headers'] = {}
    const port = await listen((request, response) => {
      received = request.headers
      request.resume()
      response.end()
    })
    const headers = [
      ['Host', 'evil.test'],
      ['Content-Length', '999'],
      ['Transfer-Encoding', 'chunked'],
      ['Connection', 'upgrade'],
    ] as const
    await fetcher(['a.test'])(`http://a.test:${port}/`, { method: 'POST', headers, body: Buffer.from('12') })
    expect(received).toMatchObject({ host: `a.test:${port}`, 'content-length': '2' })
    expect(received['transfer-encoding']).toBeUndefined()
  })

  it('refuses other schemes, broken URLs and broken headers in words', async () => {
    const fetch = fetcher(['*'])
    for (const url of ['file:///etc/passwd', 'ftp://a.test/', 'data:,x', 'nonsense']) {
      expect(await fetch(url)).toMatchObject({ ok: false, message: expect.stringMatching(/^fetch failed: /) })
    }
    expect(await fetch('http://a.test:1/', { headers: [['bad name', 'x']] })).toMatchObject({ ok: false })
  })

  it('ends what is too large, too slow, broken off or not wanted any more', async () => {
    const port = await listen((request, response) => {
      if (request.url === '/large') response.end(Buffer.alloc(200_000))
      else if (request.url === '/broken')
        response.writeHead(200, { 'content-length': '10' }).write('x', () => response.destroy())
      else response.write('slow')
    })
    const fetch = fetcher(['a.test'], { limits: { maxBytes: 100_000, timeoutMs: 300 } })
    expect(await fetch(`http://a.test:${port}/large`)).toMatchObject(failed('at most 100000 bytes'))
    expect(await fetch(`http://a.test:${port}/slow`)).toMatchObject(failed('no complete response within 300 ms'))
    expect(await fetch(`http://a.test:${port}/broken`)).toMatchObject(failed('fetch failed'))
    expect(await fetch(`http://a.test:${port}/slow`, {}, AbortSignal.abort())).toMatchObject(failed('fetch failed'))
  })

  it('decompresses what a server compresses although it was not asked to, within the limit', async () => {
    const port = await listen((request, response) => {
      const [encoding, bytes] =
        request.url === '/br'
          ? ['br', brotliCompressSync('plain')]
          : ['gzip', gzipSync(Buffer.alloc(request.url === '/bomb' ? 1e6 : 5, 'a'))]
      response.writeHead(200, { 'content-encoding': encoding }).end(bytes)
    })
    const fetch = fetcher(['a.test'], { limits: { maxBytes: 100_000 } })
    const reply = await fetch(`http://a.test:${port}/gzip`)
    expect(reply).toMatchObject({ ok: true, text: 'aaaaa' })
    expect(JSON.stringify(reply)).not.toContain('content-encoding')
    expect(await fetch(`http://a.test:${port}/br`)).toMatchObject({ ok: true, text: 'plain' })
    expect(await fetch(`http://a.test:${port}/bomb`)).toMatchObject({ ok: false })
  })
})
