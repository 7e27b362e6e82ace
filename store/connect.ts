// Opens connections to Redis and translates its failures. Knows nothing of what is kept there.
import { Redis } from 'ioredis'

import { type Clock, systemClock } from '#core/clock'
import { PlatformError } from '#core/errors'

import { GatheringRedis } from './gathering-redis.ts'
import type { StoreSettings } from './settings.ts'

/** `shared` for commands, `blocking` for the one that waits for bells, `subscriber` for messages. */
export type ConnectionRole = 'shared' | 'blocking' | 'subscriber'

/** Longest that the blocking connection waits for a bell, seconds. */
export const BLOCK_S = 5

/**
 * A connection that has answered. It reconnects by itself. Commands during an outage fail with the next attempt to
 * reconnect, after a second at most; of one that was under way when it began nobody knows whether it took effect.
 * @throws PlatformError `store-unavailable`
 */
export async function connect(
  url: string,
  role: ConnectionRole,
  settings: Pick<StoreSettings, 'connectTimeoutMs' | 'commandTimeoutMs'>,
  clock: Clock = systemClock,
): Promise<Redis> {
  const options = {
    ...parseRedisUrl(url),
    connectionName: `hearth-${role}`,
    lazyConnect: true,
    // Resent commands could run twice: a second moveToActive would take a second job under the same token. 0 retries,
    // because with more ioredis leaves the commands that it does not resend without any answer.
    autoResendUnfulfilledCommands: false,
    maxRetriesPerRequest: 0,
    autoResubscribe: false,
    retryStrategy: (attempt: number) => Math.min(25 * 2 ** attempt, 1_000),
    connectTimeout: settings.connectTimeoutMs,
    ...(role === 'blocking' ? { blockingTimeout: 2_000 * BLOCK_S } : { commandTimeout: settings.commandTimeoutMs }),
  }
  const redis = role === 'shared' ? new GatheringRedis(options) : new Redis(options)
  let lastError: unknown
  redis.on('error', (error) => (lastError = error))
  const expired = Promise.withResolvers<never>()
  using timers = new DisposableStack()
  timers.use(clock.after(settings.connectTimeoutMs, () => expired.reject(new Error('the time is over'))))
  try {
    await Promise.race([redis.connect(), expired.promise])
    return redis
  } catch (error) {
    redis.disconnect()
    throw unavailable(`no answer from Redis at ${describeRedisUrl(url)}: ${reasonOf(lastError ?? error)}`, error)
  }
}

/** Waits for commands under way, then closes. Never throws. */
export async function disconnect(redis: Redis): Promise<void> {
  try {
    if (redis.status === 'ready') await redis.quit()
  } catch {
    // It is going away already.
  } finally {
    redis.disconnect()
  }
}

export interface RedisAddress {
  readonly path?: string
  readonly host?: string
  readonly port?: number
  readonly db: number
  readonly username?: string
  readonly password?: string
  readonly tls?: object
}

/** @throws PlatformError `store-unavailable` for anything but redis:, rediss:, unix: and redis+unix: */
export function parseRedisUrl(url: string): RedisAddress {
  const parsed = URL.parse(url)
  const scheme = parsed?.protocol
  const database = Number(parsed?.searchParams.get('db') ?? 0)
  const login = {
    ...(parsed?.username ? { username: decodeURIComponent(parsed.username) } : {}),
    ...(parsed?.password ? { password: decodeURIComponent(parsed.password) } : {}),
  }
  if (parsed && (scheme === 'unix:' || scheme === 'redis+unix:') && parsed.pathname.length > 1) {
    return { ...login, path: decodeURIComponent(parsed.pathname), db: database }
  }
  if (parsed && (scheme === 'redis:' || scheme === 'rediss:')) {
    return {
      ...login,
      host: parsed.hostname.replace(/^\[|\]$/g, '') || '127.0.0.1',
      port: Number(parsed.port || 6379),
      db: Number(parsed.pathname.slice(1) || database),
      ...(scheme === 'rediss:' ? { tls: {} } : {}),
    }
  }
  throw unavailable(
    `the Redis URL must be redis://host:port, rediss://host:port or unix:///path: received one that starts with ${JSON.stringify(url.slice(0, 8))}`,
  )
}

/** Fit for a banner or an error: without user and password. */
export function describeRedisUrl(url: string): string {
  const { path, host, port, db } = parseRedisUrl(url)
  const database = db ? `, database ${db}` : ''
  return path === undefined ? `${host}:${port}${database}` : `${path}${database}`
}

/** Awaits Redis. @throws PlatformError `store-unavailable`, or `internal` when Redis refuses a command as such */
export async function guard<T>(work: Promise<T>): Promise<T> {
  try {
    return await work
  } catch (error) {
    throw storeError(error)
  }
}

/** Replies that say something about the server and not about the command. */
const UNAVAILABLE_REPLY = /^(?:LOADING|BUSY|MASTERDOWN|READONLY|MISCONF|NOAUTH|WRONGPASS|OOM|CLUSTERDOWN|TRYAGAIN)\b/
/** What ioredis says when the connection is to blame; it has no class for most of it. */
const UNAVAILABLE_CONNECTION =
  /^(?:Connection is closed|Command timed out|Blocking command timed out|Stream isn't writeable|Socket |Reached the max retries|connect )/

export function storeError(error: unknown): PlatformError {
  if (error instanceof PlatformError) return error
  const message = reasonOf(error)
  const isReply = error instanceof Error && error.name === 'ReplyError'
  const isSystem = error instanceof Error && 'syscall' in error
  if (isSystem || (isReply ? UNAVAILABLE_REPLY : UNAVAILABLE_CONNECTION).test(message)) {
    return unavailable(`Redis does not answer: ${message}`, error)
  }
  return new PlatformError('internal', { detail: 'Redis refused a command of Hearth', cause: error })
}

function unavailable(detail: string, cause?: unknown): PlatformError {
  return new PlatformError('store-unavailable', { detail, cause, retryAfterS: 1 })
}

function reasonOf(error: unknown): string {
  return error instanceof Error ? error.message || error.name : String(error)
}
