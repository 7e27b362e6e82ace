import { Redis } from 'ioredis'

import { parseRedisUrl } from '#store/connect'
import { startTestRedis } from '#test/redis'

import { describeEventSource } from './event-source.ts'

describeEventSource({
  kind: 'redis-stream',
  keyed: true,
  skip: [],
  async start() {
    const server = await startTestRedis()
    const withRedis = async <T>(task: (redis: Redis) => Promise<T>): Promise<T> => {
      const redis = new Redis(parseRedisUrl(server.url))
      try {
        return await task(redis)
      } finally {
        redis.disconnect()
      }
    }
    return {
      options: async (test) => ({ url: server.url, stream: test, field: 'data' }),
      publish: ({ stream }, texts) =>
        withRedis(async (redis) => {
          for (const text of texts) await redis.xadd(String(stream), '*', 'data', text)
        }),
      left: ({ stream }) =>
        withRedis(async (redis) => {
          const [group] = (await redis.xinfo('GROUPS', String(stream))) as unknown[][]
          const numberOf = (name: string): number => Number(group?.[(group.indexOf(name) ?? 0) + 1])
          return group === undefined ? redis.xlen(String(stream)) : numberOf('pending') + numberOf('lag')
        }),
      async restart() {
        await server.kill()
        await server.restart()
      },
      [Symbol.asyncDispose]: () => server[Symbol.asyncDispose](),
    }
  },
})
