import { request } from 'node:http'

import { expect, test } from 'vitest'

import { respond } from '../memory.ts'
import { open, readAll } from '../raw.ts'
import { startGateway } from '../start.ts'

test('binary bodies come and go unchanged, whole and in chunks', async () => {
  await using gateway = await startGateway({ maxBodyBytes: 4 * 1024 * 1024 })
  await gateway.deploy('echo')
  gateway.invoker.script = async ({ request: { body } }, sink) => {
    if (body instanceof Uint8Array) return respond(sink, 200, body)
    sink.head({ status: 200, headers: [] }, undefined)
    for await (const chunk of body) await sink.chunk(chunk)
    sink.end()
    return { kind: 'responded', status: 200 }
  }
  for (const size of [0, 1, 65_536, 65_537, 3_000_000]) {
    const sent = Buffer.alloc(size, Buffer.from(Array.from({ length: 256 }, (_, index) => index)))
    const response = await fetch(`${gateway.url}/fn/echo`, { method: 'POST', body: sent })
    expect(sent.equals(Buffer.from(await response.arrayBuffer()))).toBe(true)
  }
})

test('a body of unknown length streams to the function while it is sent', async () => {
  await using gateway = await startGateway()
  await gateway.deploy('echo')
  const first = Promise.withResolvers<string>()
  gateway.invoker.script = async ({ request: { body } }, sink) => {
    let text = ''
    for await (const chunk of body as AsyncIterable<Uint8Array>) {
      text += Buffer.from(chunk).toString()
      first.resolve(text)
    }
    return respond(sink, 200, text)
  }
  const socket = await open(gateway.port)
  const answer = readAll(socket)
  socket.write(
    'POST /fn/echo HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n3\r\none\r\n',
  )
  expect(await first.promise).toBe('one')
  socket.write('3\r\ntwo\r\n0\r\n\r\n')
  expect(await answer).toMatch(/onetwo$/)
})

test('a body over the limit is refused, declared or not, and the client can read why', async () => {
  await using gateway = await startGateway({ maxBodyBytes: 1_000_000 })
  await gateway.deploy('up')
  const declared = await fetch(`${gateway.url}/fn/up`, { method: 'POST', body: Buffer.alloc(5_000_000) })
  expect(declared.status).toBe(413)
  expect(await declared.json()).toMatchObject({ code: 'payload-too-large', limit: 1_000_000 })
  expect(gateway.invoker.invocations).toEqual([])
  gateway.invoker.script = async ({ request: { body } }, sink, signal) => {
    try {
      await Array.fromAsync(body as AsyncIterable<Uint8Array>)
    } catch {
      return signal.aborted ? { kind: 'cancelled' } : respond(sink, 200, 'not cancelled')
    }
    return respond(sink, 200, 'read')
  }
  const streamed = await new Promise<number | undefined>((resolve, reject) => {
    const sending = request(`${gateway.url}/fn/up`, { method: 'POST' }, (response) => {
      response.resume()
      resolve(response.statusCode)
    })
    sending.on('error', reject)
    for (let index = 0; index < 30; index++) sending.write(Buffer.alloc(65_536))
    sending.end()
  })
  expect(streamed).toBe(413)
})

test('a function may answer without reading the body, and the connection lives on', async () => {
  await using gateway = await startGateway()
  await gateway.deploy('up')
  gateway.invoker.script = async ({ request: { body } }, sink) => {
    if (!(body instanceof Uint8Array)) {
      await body[Symbol.asyncIterator]().next()
    }
    return respond(sink, 200, 'early')
  }
  const socket = await open(gateway.port)
  const answer = readAll(socket)
  socket.write(`POST /fn/up HTTP/1.1\r\nHost: h\r\nContent-Length: 200000\r\n\r\n${'x'.repeat(200_000)}`)
  socket.write('GET /fn/up HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n')
  expect((await answer).match(/early/g)).toHaveLength(2)
})
