// Empties a lane for good, for a function that is removed. Writes no records: whoever removes it is told of each job first.
import type { Redis } from 'ioredis'

import type { InvocationId, LaneName } from '#core/ids'

import { run } from '../pipeline.ts'
import { runScript, script } from '../script.ts'
import { cancelMessage, type Lane } from './lane.ts'

/** Jobs dropped together: Redis serves nobody else meanwhile. */
const BATCH = 250

/** Whoever holds one hears that it is cancelled, and finds its lease lost. */
const DROP = script(`
  local wait, prioritized, delayed, active, stalled, bodies = unpack(KEYS)
  for n = 4, #ARGV do
    local id, key = ARGV[n], ARGV[1] .. ARGV[n]
    if redis.call('ZREM', prioritized, id) + redis.call('ZREM', delayed, id) == 0 then
      redis.call('LREM', wait, 1, id)
      if redis.call('LREM', active, 1, id) > 0 then redis.call('PUBLISH', ARGV[2], ARGV[3] .. id) end
    end
    redis.call('HDEL', bodies, id, redis.call('HGET', key, 'beside') or id)
    redis.call('SREM', stalled, id)
    redis.call('DEL', key, key .. ':lock')
  end
  return 0`)
/** What is left of a lane without jobs. Returns 0 when it has some again. */
const FORGET = script(`
  if redis.call('EXISTS', KEYS[1], KEYS[2], KEYS[3], KEYS[4]) > 0 then return 0 end
  redis.call('UNLINK', unpack(KEYS, 5))
  return 1`)

export interface DropContext {
  readonly redis: Redis
  /** The channel of jobs that are to be stopped. */
  readonly cancelled: string
  /** Called before jobs are gone; again, when it was cut off in between. */
  readonly onDrop: (lane: LaneName, ids: readonly InvocationId[]) => Promise<void>
}

/** Adds meanwhile are dropped, too. @throws PlatformError `store-unavailable`, and whatever `onDrop` throws */
export async function dropLane({ name, keys, bodies }: Lane, context: DropContext): Promise<void> {
  const { redis, cancelled, onDrop } = context
  const { wait, prioritized, delayed, active, stalled, meta, events, id, pc, marker, limiter } = keys
  const jobs = [wait, prioritized, delayed, active]
  do {
    for (let ids; (ids = await someIds(redis, keys)).length > 0;) {
      await onDrop(name, ids)
      await runScript(redis, DROP, [...jobs, stalled, bodies], [keys[''], cancelled, cancelMessage(name, ''), ...ids])
    }
  } while (
    (await runScript(
      redis,
      FORGET,
      [...jobs, stalled, meta, events, id, pc, marker, limiter, keys['stalled-check'], bodies],
      [],
    )) === 0
  )
}

async function someIds(redis: Redis, { wait, prioritized, delayed, active }: Lane['keys']): Promise<InvocationId[]> {
  const pipeline = redis.pipeline()
  for (const key of [prioritized, delayed]) pipeline.zrange(key, '0', String(BATCH - 1))
  for (const key of [wait, active]) pipeline.lrange(key, -BATCH, -1)
  const found = (await run(pipeline)) as InvocationId[][]
  return [...new Set(found.flat())].slice(0, BATCH)
}
