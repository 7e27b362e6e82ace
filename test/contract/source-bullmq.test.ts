import { Queue } from 'bullmq'
import { Redis } from 'ioredis'

import { parseRedisUrl } from '#store/connect'
import { startTestRedis } from '#test/redis'

import { describeEventSource } from './event-source.ts'

describeEventSource({
  kind: 'bullmq',
  keyed: true,
  skip: [],
  async start() {
    const server = await startTestRedis()
    const withQueue = async <T>(name: unknown, task: (queue: Queue) => Promise<T>): Promise<T> => {
      const connection = new Redis({ ...parseRedisUrl(server.url), maxRetriesPerRequest: null })
      const queue = new Queue(String(name), { connection })
      try {
        return await task(queue)
      } finally {
        await queue.close()
        connection.disconnect()
      }
    }
    return {
      options: async (test) => ({ url: server.url, queue: test }),
      publish: ({ queue: name }, texts) =>
        withQueue(name, async (queue) => {
          for (const text of texts) await queue.add('test', JSON.parse(text))
        }),
      left: ({ queue: name }) =>
        withQueue(name, async (queue) => queue.getJobCountByTypes('wait', 'active', 'prioritized', 'delayed')),
      async restart() {
        await server.kill()
        await server.restart()
      },
      [Symbol.asyncDispose]: () => server[Symbol.asyncDispose](),
    }
  },
})
