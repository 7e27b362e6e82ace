// How a Redis is reached: address, who we are, TLS. For sources on Redis; the store has connections of its own.
import type { Redis } from 'ioredis'

import { connected } from '../connecting.ts'
import { invalidField, type OptionsOf, type SourceFields } from '../fields.ts'
import type { SourceContext } from '../source.ts'
import { checkTls, TLS_FIELDS, tlsOptions } from '../tls.ts'

const TIMEOUT_MS = 10_000
const KEEP_ALIVE_MS = 15_000
const DATABASE = /^\d{0,5}$/

export const REDIS_FIELDS = {
  url: {
    type: 'url',
    protocols: ['redis', 'rediss', 'unix'],
    default: '',
    description:
      "redis://[user:password@]host[:port][/database], rediss://… or unix:///path; empty: Hearth's own Redis.",
  },
  ...TLS_FIELDS,
} as const satisfies SourceFields

export type RedisFields = OptionsOf<typeof REDIS_FIELDS>

/** @throws PlatformError `invalid-trigger` */
export function checkRedis(options: RedisFields): void {
  if (options.url !== '') {
    const { protocol, pathname } = new URL(options.url)
    if (protocol !== 'unix:' && !DATABASE.test(pathname.slice(1))) {
      throw invalidField('source.url', 'with the number of a database as its path, or none', pathname)
    }
    checkTls(options, 'rediss:')
  } else if (options.tlsCa !== '' || options.tlsCertificate !== '' || options.tlsKey !== '') {
    throw invalidField('source.url', 'a URL of rediss: where there are fields for TLS', '')
  }
}

/**
 * A connection that does not come back once it is lost: whoever serves the trigger opens it again.
 * @param commandTimeoutMs longest wait for an answer; longer than any command of the connection blocks
 * @throws Error for the status of the trigger
 */
export async function connectTo(
  {
    trigger,
    options,
    redisUrl,
    signal,
  }: Pick<SourceContext<RedisFields>, 'trigger' | 'options' | 'redisUrl' | 'signal'>,
  commandTimeoutMs: number,
): Promise<Redis> {
  const { Redis: Client } = await import('ioredis')
  const url = options.url === '' ? redisUrl : options.url
  const redis = new Client({
    ...addressOf(url, options),
    connectionName: `hearth-${trigger}`,
    lazyConnect: true,
    enableOfflineQueue: false,
    retryStrategy: () => null,
    maxRetriesPerRequest: null,
    connectTimeout: TIMEOUT_MS,
    keepAlive: KEEP_ALIVE_MS,
    commandTimeout: commandTimeoutMs,
  })
  // Without a listener it would end the process. It is also why a connection does not come to be.
  let reason: Error | undefined
  redis.on('error', (error: Error) => (reason = error))
  const connection = redis.connect().then(
    () => redis,
    (error: unknown) => {
      redis.disconnect()
      throw reason ?? error
    },
  )
  return connected({ broker: 'Redis', url, connection, close: (late) => late.disconnect(), signal })
}

function addressOf(text: string, options: RedisFields): object {
  const { protocol, hostname, port, username, password, pathname, searchParams } = new URL(text)
  const login = {
    ...(username === '' ? {} : { username: decodeURIComponent(username) }),
    ...(password === '' ? {} : { password: decodeURIComponent(password) }),
  }
  const database = Number(searchParams.get('db') ?? 0)
  if (protocol === 'unix:' || protocol === 'redis+unix:') {
    return { ...login, path: decodeURIComponent(pathname), db: database }
  }
  return {
    ...login,
    host: hostname.replaceAll(/[[\]]/g, '') || '127.0.0.1',
    port: Number(port || 6379),
    db: Number(pathname.slice(1) || database),
    ...(protocol === 'rediss:' ? { tls: tlsOptions(options) } : {}),
  }
}
