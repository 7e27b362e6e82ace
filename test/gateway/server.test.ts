import { expect, test } from 'vitest'

import { AUTH, startGateway } from './start.ts'
import { respond } from './memory.ts'
import { exchange, open, readAll, until } from './raw.ts'

test.for([
  ['GET', '/v1/functions'],
  ['GET', '/v1/functions/up'],
  ['PUT', '/v1/functions/up'],
  ['DELETE', '/v1/functions/up'],
  ['GET', '/v1/functions/up/versions'],
  ['GET', '/v1/functions/up/code'],
  ['GET', '/v1/functions/up/logs'],
  ['POST', '/v1/functions/up/invocations'],
  ['GET', '/v1/invocations'],
  ['GET', '/v1/invocations/x'],
  ['GET', '/v1/invocations/x/logs'],
])('%s %s wants the token', async ([method = '', path = '']) => {
  await using gateway = await startGateway()
  for (const authorization of ['', 'Bearer', 'Bearer test-toke', 'Bearer test-token2', 'Basic test-token']) {
    const response = await fetch(gateway.url + path, { method, headers: authorization === '' ? {} : { authorization } })
    expect(response.status).toBe(401)
    expect(response.headers.get('www-authenticate')).toBe('Bearer realm="hearth"')
  }
})

test('a drain lets a stream finish, says close, and takes nothing new', async () => {
  await using gateway = await startGateway()
  await gateway.deploy('slow')
  const goOn = Promise.withResolvers<void>()
  gateway.invoker.script = async ({ request: { target } }, sink) => {
    if (target === '/whole') {
      await goOn.promise
      return respond(sink, 200, 'whole')
    }
    sink.head({ status: 200, headers: [] }, undefined)
    await sink.chunk(Buffer.from('first '))
    await goOn.promise
    await sink.chunk(Buffer.from('last'))
    sink.end()
    return { kind: 'responded', status: 200 }
  }
  const streamed = await fetch(`${gateway.url}/fn/slow/stream`)
  const whole = fetch(`${gateway.url}/fn/slow/whole`)
  const idle = await open(gateway.port)
  await until(() => gateway.invoker.invocations.length === 2)
  const closed = gateway.gateway[Symbol.asyncDispose]()
  await expect(open(gateway.port)).rejects.toThrow('ECONNREFUSED')
  idle.destroy()
  goOn.resolve()
  expect(await streamed.text()).toBe('first last')
  expect((await whole).headers.get('connection')).toBe('close')
  expect(await (await whole).text()).toBe('whole')
  await closed
})

test('a request on an open connection during a drain is refused and told to go elsewhere', async () => {
  await using gateway = await startGateway()
  await gateway.deploy('slow')
  const goOn = Promise.withResolvers<void>()
  gateway.invoker.script = async (_invocation, sink) => {
    await goOn.promise
    return respond(sink, 200, 'slow')
  }
  const running = fetch(`${gateway.url}/fn/slow`)
  await until(() => gateway.invoker.invocations.length === 1)
  // It has begun to send a request, so it is not idle and stays open.
  const sockets = await Promise.all([open(gateway.port), open(gateway.port), open(gateway.port)])
  const answers = Promise.all(sockets.map(readAll))
  for (const socket of sockets) socket.write('GET ')
  await exchange(gateway.port, 'GET /healthz HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n')
  const closed = gateway.gateway[Symbol.asyncDispose]()
  for (const [index, path] of ['/fn/slow', '/readyz', '/v1/functions'].entries()) {
    sockets[index]?.write(`${path} HTTP/1.1\r\nHost: h\r\nAuthorization: ${AUTH.authorization}\r\n\r\n`)
  }
  for (const answer of await answers) {
    expect(answer).toMatch(/^HTTP\/1\.1 503 /)
    expect(answer.toLowerCase()).toContain('\r\nconnection: close\r\n')
    expect(answer).toContain('"code":"shutting-down"')
  }
  goOn.resolve()
  expect((await running).status).toBe(200)
  await closed
})

test('what runs longer than the drain is cancelled and answered', async () => {
  await using gateway = await startGateway({ drainMs: 20 })
  await gateway.deploy('endless')
  gateway.invoker.script = (_invocation, _sink, signal) =>
    new Promise((resolve) => signal.addEventListener('abort', () => resolve({ kind: 'cancelled' })))
  const running = fetch(`${gateway.url}/fn/endless`)
  await until(() => gateway.invoker.invocations.length === 1)
  await gateway.gateway[Symbol.asyncDispose]()
  const response = await running
  expect(response.status).toBe(503)
  expect(await response.json()).toMatchObject({ code: 'shutting-down' })
})

test('a gateway without work closes at once, connections that are kept alive included', async () => {
  await using gateway = await startGateway({ drainMs: 60_000 })
  await fetch(`${gateway.url}/healthz`)
  const idle = await open(gateway.port)
  const ended = readAll(idle)
  await gateway.gateway[Symbol.asyncDispose]()
  await gateway.gateway[Symbol.asyncDispose]()
  await ended
})

test('a port that is taken is an error', async () => {
  await using gateway = await startGateway()
  await using other = await startGateway()
  await other.gateway[Symbol.asyncDispose]()
  await expect(other.gateway.listen({ host: '127.0.0.1', port: gateway.port })).rejects.toThrow('EADDRINUSE')
})
