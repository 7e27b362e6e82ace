import { expect, test } from 'vitest'

import { PlatformError } from '#core/errors'

import { exchange } from '../raw.ts'
import { AUTH, startGateway } from '../start.ts'

const DEPLOY = { method: 'PUT', headers: { ...AUTH, 'content-type': 'text/javascript' }, body: 'export default 1' }

test.for([
  ['/fn/up', '/'],
  ['/fn/up?x', '/?x'],
  ['/fn/up/', '/'],
  ['/fn/up//', '//'],
  ['http://example.test/fn/up/deep?a=b', '/deep?a=b'],
])('the target %s is %s for the function', async ([target, expected]) => {
  await using gateway = await startGateway()
  await gateway.deploy('up')
  await exchange(gateway.port, `GET ${target} HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n`)
  expect(gateway.invoker.invocations[0]?.request.target).toBe(expected)
})

test.for(['GET', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS', 'TRACE', 'PROPFIND', 'REPORT', 'QUERY'])(
  'the method %s reaches the function',
  async (method) => {
    await using gateway = await startGateway()
    await gateway.deploy('up')
    const answer = await exchange(gateway.port, `${method} /fn/up HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n`)
    expect(answer).toMatch(/^HTTP\/1\.1 200 OK\r\n/)
    expect(gateway.invoker.invocations[0]?.request.method).toBe(method)
  },
)

test('an answer says which invocation, version and start it was, and where the time went', async () => {
  await using gateway = await startGateway()
  await gateway.deploy('up')
  gateway.invoker.start = { kind: 'cold', queueMs: 1.25, startMs: 30.0004 }
  const response = await fetch(`${gateway.url}/fn/up`)
  expect(await response.text()).toBe('hello')
  expect(response.headers.get('hearth-invocation-id')).toBe(gateway.invoker.invocations[0]?.id)
  expect(response.headers.get('hearth-version')).toBe('1')
  expect(response.headers.get('hearth-start')).toBe('cold')
  expect(response.headers.get('server-timing')).toMatch(/^queue;dur=1\.25, start;dur=30, run;dur=[\d.]+$/)
  expect(response.headers.get('content-length')).toBe('5')
})

test('what the invoker refuses keeps its code and its Retry-After', async () => {
  await using gateway = await startGateway()
  await gateway.deploy('full')
  gateway.invoker.script = async () => {
    throw new PlatformError('queue-full', { detail: 'too many', retryAfterS: 1.2 })
  }
  const response = await fetch(`${gateway.url}/fn/full`)
  expect(response.status).toBe(429)
  expect(response.headers.get('retry-after')).toBe('2')
  expect(await response.json()).toMatchObject({ code: 'queue-full', retryable: true })
})

test('an unexpected error is told to the platform and not to the client', async () => {
  await using gateway = await startGateway()
  await gateway.deploy('bug')
  const bug = new Error('secret bug')
  gateway.invoker.script = async () => {
    throw bug
  }
  const response = await fetch(`${gateway.url}/fn/bug`)
  expect(response.status).toBe(500)
  expect(response.headers.get('hearth-error')).toBe('internal')
  expect(await response.text()).not.toContain('secret')
  expect(gateway.faults).toEqual([bug])
})

test('a function with auth token wants the token and does not get to see it', async () => {
  await using gateway = await startGateway()
  await gateway.deploy('closed', '?auth=token')
  const refused = await fetch(`${gateway.url}/fn/closed`)
  expect(refused.status).toBe(401)
  expect(refused.headers.get('www-authenticate')).toBe('Bearer realm="hearth"')
  expect((await fetch(`${gateway.url}/fn/closed`, { headers: { authorization: 'Bearer wrong' } })).status).toBe(401)
  expect(gateway.invoker.invocations).toEqual([])
  expect((await fetch(`${gateway.url}/fn/closed`, { headers: AUTH })).status).toBe(200)
  const names = gateway.invoker.invocations[0]?.request.headers.map(([name]) => name)
  expect(names).not.toContain('authorization')
})

test('an open function gets the Authorization header of its own users', async () => {
  await using gateway = await startGateway()
  await gateway.deploy('open')
  await fetch(`${gateway.url}/fn/open`, { headers: { authorization: 'Basic abc' } })
  expect(gateway.invoker.invocations[0]?.request.headers).toContainEqual(['authorization', 'Basic abc'])
})

test('a version can be chosen; a name or version that is not there is a 404', async () => {
  await using gateway = await startGateway()
  await gateway.deploy('up')
  await fetch(`${gateway.url}/v1/functions/up`, DEPLOY)
  expect((await fetch(`${gateway.url}/fn/up`)).headers.get('hearth-version')).toBe('2')
  expect((await fetch(`${gateway.url}/fn/up@1/x`)).headers.get('hearth-version')).toBe('1')
  const codes = await Promise.all(
    ['/fn/up@3', '/fn/up@x', '/fn/down', '/fn/Not_A_Name', '/fn/'].map(async (path) => {
      const response = await fetch(gateway.url + path)
      return [response.status, ((await response.json()) as { code: string }).code]
    }),
  )
  expect(codes).toEqual([
    [404, 'version-not-found'],
    [400, 'invalid-request'],
    [404, 'function-not-found'],
    [400, 'invalid-name'],
    [400, 'invalid-name'],
  ])
})

test('warm calls do not ask the store', async () => {
  await using gateway = await startGateway()
  await gateway.deploy('up')
  await fetch(`${gateway.url}/fn/up`)
  const before = gateway.functions.reads
  await Promise.all(Array.from({ length: 20 }, () => fetch(`${gateway.url}/fn/up`)))
  expect(gateway.functions.reads).toBe(before)
})
