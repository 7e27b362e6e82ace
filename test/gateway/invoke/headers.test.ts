import { expect, test } from 'vitest'

import { exchange } from '../raw.ts'
import { AUTH, startGateway, TOKEN } from '../start.ts'

test('a call passes method, path, query, headers and body on without decoding them', async () => {
  await using gateway = await startGateway()
  await gateway.deploy('up')
  const answer = await exchange(
    gateway.port,
    'POST /fn/up/a%2Fb//c/%zz?q=%20&q=2 HTTP/1.1\r\nHost: example.test\r\nX-One: 1\r\nx-one: 2\r\nContent-Length: 4\r\n' +
      'TE: trailers\r\nX-Hop: 1\r\nHearth-Version: 9\r\nConnection: close, x-hop\r\nX-Forwarded-For: 6.6.6.6\r\n\r\nbody',
  )
  expect(answer).toMatch(/^HTTP\/1\.1 200 OK\r\n/)
  const [invocation] = gateway.invoker.invocations
  expect(invocation?.request).toMatchObject({
    method: 'POST',
    target: '/a%2Fb//c/%zz?q=%20&q=2',
    origin: 'http://example.test',
  })
  expect(Buffer.from(invocation?.request.body as Uint8Array).toString()).toBe('body')
  expect(invocation?.request.headers).toEqual([
    ['host', 'example.test'],
    ['x-one', '1'],
    ['x-one', '2'],
    ['content-length', '4'],
    ['x-forwarded-for', '127.0.0.1'],
    ['x-forwarded-proto', 'http'],
    ['x-forwarded-host', 'example.test'],
  ])
})

test('requests that follow each other on a connection are each told apart by their headers', async () => {
  await using gateway = await startGateway()
  await gateway.deploy('open')
  await gateway.deploy('closed', '?auth=token')
  for (const name of ['open', 'closed']) await fetch(`${gateway.url}/fn/${name}`, { headers: AUTH })
  const repeated = getWithToken('open', 'X-A: 1\r\n')
  const others = [
    getWithToken('closed', 'X-A: 1\r\n'),
    getWithToken('open', 'X-A: 2\r\n'),
    getWithToken('open', 'X-B: 2\r\n'),
    repeated,
  ]
  await exchange(
    gateway.port,
    [repeated, repeated, repeated, ...others, getWithToken('open', 'Connection: close\r\n')].join(''),
  )
  const seen = gateway.invoker.invocations.slice(2).map(({ version, request: { headers, headersJson } }) => {
    if (headersJson !== undefined) expect(JSON.parse(headersJson)).toEqual(headers)
    const own = headers
      .filter(([name]) => name === 'authorization' || /^x-.$/.test(name))
      .map(([name, value]) => name + value)
    return `${version.function} ${own.join(' ').replaceAll(`Bearer ${TOKEN}`, '')}`
  })
  const same = 'open authorization x-a1'
  expect(seen).toEqual([
    same,
    same,
    same,
    'closed x-a1',
    'open authorization x-a2',
    'open authorization x-b2',
    same,
    'open authorization',
  ])
  expect(gateway.invoker.invocations[3]?.request.headersJson).toBeDefined()
})

test('a proxy that is trusted may say who the client is', async () => {
  await using gateway = await startGateway({ trustProxy: true })
  await gateway.deploy('up')
  const headers = { 'x-forwarded-for': '6.6.6.6', 'x-forwarded-proto': 'https', 'x-forwarded-host': 'public.test' }
  await fetch(`${gateway.url}/fn/up`, { headers })
  const [invocation] = gateway.invoker.invocations
  expect(invocation?.request.origin).toBe('https://public.test')
  expect(invocation?.request.headers).toContainEqual(['x-forwarded-for', '6.6.6.6, 127.0.0.1'])
})

test('a function cannot speak for the platform or about the connection', async () => {
  await using gateway = await startGateway()
  await gateway.deploy('up')
  gateway.invoker.script = async (_invocation, sink) => {
    sink.head(
      {
        status: 500,
        headers: [
          ['hearth-error', 'internal'],
          ['connection', 'x-mine'],
          ['x-mine', '1'],
          ['x-kept', '2'],
        ],
      },
      Buffer.from('own'),
    )
    sink.end()
    return { kind: 'responded', status: 500 }
  }
  const response = await fetch(`${gateway.url}/fn/up`)
  expect(response.status).toBe(500)
  expect(await response.text()).toBe('own')
  expect(response.headers.get('hearth-error')).toBeNull()
  expect(response.headers.get('x-mine')).toBeNull()
  expect(response.headers.get('x-kept')).toBe('2')
})

test('several cookies stay several headers', async () => {
  await using gateway = await startGateway()
  await gateway.deploy('up')
  gateway.invoker.script = async (_invocation, sink) => {
    sink.head(
      {
        status: 200,
        headers: [
          ['set-cookie', 'a=1'],
          ['set-cookie', 'b=2'],
        ],
      },
      new Uint8Array(0),
    )
    sink.end()
    return { kind: 'responded', status: 200 }
  }
  const response = await fetch(`${gateway.url}/fn/up`)
  expect(response.headers.getSetCookie()).toEqual(['a=1', 'b=2'])
})

test('1,000 headers are refused, and too many bytes of them', async () => {
  await using gateway = await startGateway()
  await gateway.deploy('up')
  const many = Array.from({ length: 1000 }, (_, index) => `x-${index}: 1\r\n`).join('')
  const counted = await exchange(gateway.port, `GET /fn/up HTTP/1.1\r\nHost: h\r\nConnection: close\r\n${many}\r\n`)
  expect(counted).toMatch(/^HTTP\/1\.1 431 /)
  expect(counted).toContain('"code":"too-many-headers"')
  const weighed = await exchange(gateway.port, `GET /fn/up HTTP/1.1\r\nHost: h\r\nx: ${'a'.repeat(200_000)}\r\n\r\n`)
  expect(weighed).toMatch(/^HTTP\/1\.1 431 /)
  expect(weighed).toContain('"code":"too-many-headers"')
  expect(gateway.invoker.invocations).toEqual([])
})

test('what is not HTTP gets a problem as well', async () => {
  await using gateway = await startGateway()
  const answer = await exchange(gateway.port, 'nonsense\r\n\r\n')
  expect(answer).toMatch(/^HTTP\/1\.1 400 /)
  expect(answer).toContain('"code":"invalid-request"')
})

test('a Host that cannot be in a URL does not get into one', async () => {
  await using gateway = await startGateway()
  await gateway.deploy('up')
  await exchange(gateway.port, 'GET /fn/up HTTP/1.1\r\nHost: a b/c\r\nConnection: close\r\n\r\n')
  expect(gateway.invoker.invocations[0]?.request.origin).toBe(gateway.url)
})

function getWithToken(name: string, more: string): string {
  return `GET /fn/${name} HTTP/1.1\r\nHost: h\r\nAuthorization: Bearer ${TOKEN}\r\n${more}\r\n`
}
