// What became of async invocations is told on: through the API of a real instance, to real receivers.
import { once } from 'node:events'
import { readFile } from 'node:fs/promises'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'

import { Worker } from 'bullmq'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'

import type { InvocationRecord } from '#core/record'
import { signatureHeaders } from '#gateway/destinations/signature'
import { parseRedisUrl } from '#store/connect'
import { startTestRedis, type TestRedis } from '#test/redis'
import { tempDir, type TempDir } from '#test/temp-dir'

import { deployJs, UPPER } from './functions.ts'
import { eventually, startHearth, type RunningHearth } from './hearth.ts'

const FAILS = 'export default { fetch() { throw new Error("not today") } }'
const ECHOES_EVENT = `export default {
  async fetch(request) {
    return Response.json({ type: request.headers.get('ce-type'), told: await request.json() })
  },
}`
const ANSWERS_WITH_EVENT = `export default {
  fetch() {
    const headers = { 'ce-specversion': '1.0', 'ce-id': 'paid-7', 'ce-source': '/orders', 'ce-type': 'order.paid' }
    return Response.json({ total: 7 }, { headers })
  },
}`

describe('destinations of async invocations', () => {
  let dir: TempDir
  let redis: TestRedis
  let hearth: RunningHearth

  beforeAll(async () => {
    dir = await tempDir({})
    redis = await startTestRedis()
    hearth = await startHearth({
      HEARTH_DOCKER_HOST: 'unix:///nonexistent/docker.sock',
      HEARTH_REDIS_URL: redis.url,
      HEARTH_DATA_DIR: join(dir.path, 'data'),
      HEARTH_CACHE_DIR: join(dir.path, 'cache'),
    })
    await deployJs(hearth, 'listener', ECHOES_EVENT)
  })
  afterAll(async () => {
    await hearth?.[Symbol.asyncDispose]()
    await redis?.[Symbol.asyncDispose]()
    await dir[Symbol.asyncDispose]()
  })

  async function submit(name: string, body: string): Promise<string> {
    const response = await hearth.api(`/v1/functions/${name}/invocations`, { method: 'POST', body })
    expect(response.status).toBe(202)
    return ((await response.json()) as { id: string }).id
  }

  async function recordOf(id: string): Promise<InvocationRecord> {
    return (await (await hearth.api(`/v1/invocations/${id}`)).json()) as InvocationRecord
  }

  async function told(id: string): Promise<InvocationRecord> {
    return eventually(
      () => recordOf(id),
      (record) => record.deliveries?.[0]?.state === 'delivered',
    )
  }

  /** What the listener answered with, once one of its invocations has the type. */
  async function heard(type: string): Promise<{ told: Record<string, unknown>; record: InvocationRecord }> {
    const find = async (): Promise<InvocationRecord | undefined> => {
      const response = await hearth.api('/v1/invocations?function=listener&state=succeeded')
      const { records } = (await response.json()) as { records: InvocationRecord[] }
      return records.find((record) => (record.result?.body ?? '').includes(`"type":"${type}"`))
    }
    const record = (await eventually(find, (found) => found !== undefined)) as InvocationRecord
    return { told: (JSON.parse(record.result?.body ?? '') as { told: Record<string, unknown> }).told, record }
  }

  it('a function is told of a success, with request and response', async () => {
    await deployJs(hearth, 'shouter', UPPER, '?onSuccess=function:listener')
    const id = await submit('shouter', 'hello')
    await told(id)
    const { told: data, record } = await heard('dev.hearth.invocation.success')
    expect(data).toMatchObject({
      invocation: id,
      function: 'shouter',
      request: { body: 'hello' },
      response: { body: 'HELLO' },
    })
    expect(record.cause).toMatchObject({ destinationOf: id })
  }, 60_000)

  it('a queue of the user gets a job when the last attempt has failed, and a worker of theirs takes it', async () => {
    await deployJs(hearth, 'failing', FAILS, '?maxAttempts=2&retryDelayMs=10&onFailure=queue:failures')
    const taken = Promise.withResolvers<unknown>()
    const connection = { ...parseRedisUrl(redis.url), maxRetriesPerRequest: null }
    const worker = new Worker('failures', async (job) => taken.resolve(job.data), { connection })
    worker.on('error', () => {})
    const id = await submit('failing', 'x')
    expect(await taken.promise).toMatchObject({
      type: 'dev.hearth.invocation.failure',
      data: { invocation: id, attempts: 2, error: { code: 'function-failed', message: 'not today' } },
    })
    await worker.close()
  }, 60_000)

  it('an event that a function answers with goes over the bus to the triggers that want it', async () => {
    await deployJs(hearth, 'cashier', ANSWERS_WITH_EVENT, '?onSuccess=events')
    const trigger = {
      kind: 'events',
      function: 'listener',
      filter: { type: 'order.paid', 'data.total': [{ numeric: { gte: 5 } }] },
    }
    const put = await hearth.api('/v1/triggers/paid', {
      method: 'PUT',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify(trigger),
    })
    expect(put.status, await put.clone().text()).toBe(201)
    await told(await submit('cashier', ''))
    expect((await heard('order.paid')).told).toEqual({ total: 7 })
  }, 60_000)

  it('a URL gets a post that its receiver can verify, again until it says yes', async () => {
    const posts: { readonly headers: Record<string, string>; readonly body: Buffer }[] = []
    const server: Server = createServer(async (req, res) => {
      posts.push({ headers: req.headers as Record<string, string>, body: Buffer.concat(await req.toArray()) })
      res.writeHead(posts.length === 1 ? 503 : 204).end()
    })
    server.listen(0, '127.0.0.1')
    await once(server, 'listening')
    const { port } = server.address() as AddressInfo
    const url = encodeURIComponent(`http://127.0.0.1:${port}/hook`)
    await deployJs(hearth, 'poster', UPPER, `?onSuccess=${url}&egress=127.0.0.1`)
    const record = await told(await submit('poster', 'x'))
    expect(record.deliveries).toMatchObject([{ state: 'delivered', attempts: 2 }])
    const secret = (await readFile(join(dir.path, 'data', 'signing-secret'), 'utf8')).trim()
    for (const { headers, body } of posts) {
      const at = Number(headers['webhook-timestamp']) * 1000
      expect(headers).toMatchObject(Object.fromEntries(signatureHeaders(secret, `${record.id}-success`, body, at)))
    }
    server.closeAllConnections()
    server.close()
  }, 60_000)
})
