// Kills Redis, and finds out whether it has taken along what it had answered.
//
// With appendfsync everysec it may: while a sync is under way, Redis holds back from its file what it has answered, up to
// two seconds (flushAppendOnlyFile in its aof.c). Then no promise can be judged, so such a round is void. docs/async.md
// says so. A kill waits for a moment without a sync; a counter that is written until the very end shows whether one
// has begun all the same.
import { Redis } from 'ioredis'

import { sleep } from '#core/clock'
import { parseRedisUrl } from '#store/connect'

import type { Victim } from './world.ts'

const COUNTER = 'crash-suite:counter'
const LIMIT_MS = 30_000

export interface RedisVictim extends Victim {
  /** How often it has come back without something that it had answered. */
  readonly losses: () => number
}

export interface RedisProcess {
  readonly url: string
  readonly kill: () => Promise<void>
  /** Resolves when it answers again. */
  readonly revive: () => Promise<void>
}

export function redisVictim({ url, kill, revive }: RedisProcess): RedisVictim {
  let answered = 0
  let losses = 0
  return {
    name: 'redis',
    losses: () => losses,
    async kill() {
      using connection = open(url)
      const { redis } = connection
      await noSyncUnderWay(redis)
      const over = new AbortController()
      const counting = (async () => {
        while (!over.signal.aborted) answered = await redis.incr(COUNTER)
      })().catch(() => {})
      // Until it has counted: what counts from then on would be lost with all else.
      await redis.ping().catch(() => {})
      await kill()
      over.abort()
      redis.disconnect()
      await counting
    },
    async revive() {
      await revive()
      using connection = open(url)
      if (Number(await connection.redis.get(COUNTER)) < answered) losses += 1
    },
  }
}

async function noSyncUnderWay(redis: Redis): Promise<void> {
  const limit = AbortSignal.timeout(LIMIT_MS)
  while (!/^aof_pending_bio_fsync:0\r?$/m.test(await redis.info('persistence'))) await sleep(1, limit)
}

function open(url: string): Disposable & { readonly redis: Redis } {
  const redis = new Redis({ ...parseRedisUrl(url), retryStrategy: null, maxRetriesPerRequest: 0 })
  redis.on('error', () => {})
  return { redis, [Symbol.dispose]: () => redis.disconnect() }
}
