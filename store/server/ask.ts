// One command to a Redis behind a socket that may be starting, stopping or gone. For anything else there is connect.ts.
import { Redis } from 'ioredis'

/** The answer as text, or undefined when nothing listens there. An error reply is its text, as in "LOADING …". */
export async function ask(socketPath: string, ...command: [string, ...string[]]): Promise<string | undefined> {
  const redis = new Redis({
    path: socketPath,
    lazyConnect: true,
    enableReadyCheck: false,
    disableClientInfo: true,
    protocol: 2,
    retryStrategy: null,
    maxRetriesPerRequest: 0,
    commandTimeout: 5_000,
  })
  redis.on('error', () => {})
  try {
    await redis.connect()
    const [name, ...args] = command
    return String(await redis.call(name, ...args))
  } catch (error) {
    return error instanceof Error && error.name === 'ReplyError' ? error.message : undefined
  } finally {
    redis.disconnect()
  }
}
