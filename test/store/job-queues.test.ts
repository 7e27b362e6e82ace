import { Worker } from 'bullmq'
import { expect, test } from 'vitest'

import { systemClock } from '#core/clock'
import { connect, disconnect, parseRedisUrl } from '#store/connect'
import { RedisJobQueues } from '#store/job-queues'
import { STORE_DEFAULTS } from '#store/settings'
import { startTestRedis } from '#test/redis'

test('a BullMQ worker gets what was put into its queue, once', async () => {
  await using redis = await startTestRedis()
  const connection = await connect(redis.url, 'shared', STORE_DEFAULTS, systemClock)
  const queues = new RedisJobQueues(connection)
  const got = Promise.withResolvers<unknown>()
  const seen: (string | undefined)[] = []
  const processor = async (job: { readonly id?: string; readonly data: unknown }): Promise<void> => {
    seen.push(job.id)
    if (job.id === 'last') got.resolve(job.data)
  }
  const worker = new Worker('mails', processor, {
    connection: { ...parseRedisUrl(redis.url), maxRetriesPerRequest: null },
    autorun: false,
  })
  worker.on('error', () => {})
  const job = { id: 'first', name: 'told', data: { to: 'ada' } }
  await queues.add('mails', job)
  await queues.add('mails', job)
  await queues.add('mails', { id: 'last', name: 'told', data: { to: 'bob' } })
  void worker.run()
  expect(await got.promise).toEqual({ to: 'bob' })
  expect(seen).toEqual(['first', 'last'])
  await worker.close()
  await queues[Symbol.asyncDispose]()
  await disconnect(connection)
})

test('a queue that was opened just when the connection was lost gets its jobs when it is back', async () => {
  await using redis = await startTestRedis()
  const connection = await connect(redis.url, 'shared', STORE_DEFAULTS, systemClock)
  const queues = new RedisJobQueues(connection)
  const job = { id: 'first', name: 'told', data: {} }
  await connection.client('PAUSE', 300, 'ALL')
  const lost = expect(queues.add('mails', job)).rejects.toMatchObject({ code: 'store-unavailable' })
  await new Promise((resolve) => setImmediate(resolve))
  connection.disconnect(true)
  await lost
  const again = () =>
    queues.add('mails', job).then(
      () => true,
      () => false,
    )
  await expect.poll(again, { timeout: 20_000, interval: 50 }).toBe(true)
  expect(await connection.llen('bull:mails:wait')).toBe(1)
  await queues[Symbol.asyncDispose]()
  await disconnect(connection)
})
