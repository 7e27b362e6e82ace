// A call for later with a key that was refused: whoever sends it again must not be told that it was accepted.
import { Redis } from 'ioredis'
import { afterAll, beforeAll, expect, test } from 'vitest'

import { PlatformError } from '#core/errors'
import type { FunctionName, InvocationId } from '#core/ids'
import { parseRedisUrl } from '#store/connect'
import { startTestRedis, type TestRedis } from '#test/redis'

import { type OnRedis, replacing, startOnRedis } from '../on-redis.ts'

let redis: TestRedis
let client: Redis
beforeAll(async () => {
  redis = await startTestRedis()
  client = new Redis(parseRedisUrl(redis.url))
})
afterAll(async () => {
  client.disconnect()
  await redis[Symbol.asyncDispose]()
})

const UP = 'up' as FunctionName
const UNAVAILABLE = new PlatformError('store-unavailable', { detail: 'scripted' })

test.for(['could not be freed', 'was no longer its own'])(
  'when its key %s it is queued by the next one',
  async (how) => {
    const settings = { prefix: how, leaseMs: 300 }
    await using gateway = await startOnRedis(redis.url, settings)
    await gateway.deploy(UP)
    const refusing = await startOnRedis(redis.url, {
      ...settings,
      wrap: ({ idempotency, lanes }) => ({
        lanes: replacing(lanes, { addMany: async (items) => items.map(() => UNAVAILABLE) }),
        idempotency: replacing(idempotency, {
          async abandon(key) {
            if (how === 'could not be freed') throw UNAVAILABLE
            // As when Redis was away for longer than the lease of the key.
            await client.del(await client.keys(`${how}:{idem:*}:lease`))
            return idempotency.abandon(key)
          },
        }),
      }),
    })
    expect((await submit(refusing)).status).toBe(503)
    await refusing[Symbol.asyncDispose]()
    const { status, json } = await submit(gateway)
    expect(status).toBe(202)
    expect(await gateway.store.lanes.has(UP, json.id as InvocationId)).toBe(true)
    expect((await gateway.call('GET', `/v1/invocations/${json.id}`)).json).toMatchObject({ state: 'queued' })
  },
)

function submit(gateway: OnRedis): ReturnType<OnRedis['call']> {
  const headers = { 'idempotency-key': 'again' }
  return gateway.call('POST', `/v1/functions/${UP}/invocations`, { headers, body: 'x' })
}
