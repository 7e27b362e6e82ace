// Looks at every lane from time to time: finds lost bells, delays that are over and jobs of dead processes.
//
// Lanes are kept in one sorted set by when they are due for a look; the processes share the work by claiming due
// lanes. A lane with jobs is looked at every `sweepMs`, one without every few minutes.
import type { Redis } from 'ioredis'

import type { Clock } from '#core/clock'
import type { LaneName } from '#core/ids'

import { guard } from '../connect.ts'
import type { Keys } from '../keys.ts'
import { runScript, script } from '../script.ts'
import type { Doorbell } from './doorbell.ts'
import type { Lane } from './lane.ts'

/** Lanes looked at together. */
const BATCH = 50
const IDLE_LOOK_MS = 300_000

/** Returns lanes that are due, and makes them due again later, so that no other process looks at them as well. */
const CLAIM = script(`
  local names = redis.call('ZRANGEBYSCORE', KEYS[1], '-inf', ARGV[1], 'LIMIT', 0, ARGV[3])
  for _, name in ipairs(names) do redis.call('ZADD', KEYS[1], ARGV[2], name) end
  return names`)

export interface SweepContext {
  readonly redis: Redis
  readonly keys: Keys
  readonly clock: Clock
  readonly sweepMs: number
  readonly doorbell: Doorbell
  lane(name: LaneName): Lane
}

/** Looks at the lanes that are due. @throws PlatformError `store-unavailable` */
export async function sweep(context: SweepContext): Promise<void> {
  const { redis, keys, clock, sweepMs } = context
  for (;;) {
    const now = clock.now()
    const names = (await runScript(redis, CLAIM, [keys.due], [now, now + sweepMs, BATCH])) as LaneName[]
    await Promise.all(names.map((name) => look(context, name)))
    if (names.length < BATCH) return
  }
}

/** Looks at every lane. @throws PlatformError `store-unavailable` */
export async function sweepAll(context: SweepContext): Promise<void> {
  const names = (await guard(context.redis.zrange(context.keys.due, '0', '-1'))) as LaneName[]
  for (let start = 0; start < names.length; start += BATCH) {
    await Promise.all(names.slice(start, start + BATCH).map((name) => look(context, name)))
  }
}

async function look(context: SweepContext, name: LaneName): Promise<void> {
  const lane = context.lane(name)
  await lane.takeOver()
  if (await ringIfWaiting(context, lane)) return
  // First due later, then looked at again: an `add` in between makes it due earlier or is seen here.
  const now = context.clock.now()
  await guard(context.redis.zadd(context.keys.due, 'XX', now + IDLE_LOOK_MS, name))
  if (await ringIfWaiting(context, lane)) {
    await guard(context.redis.zadd(context.keys.due, 'XX', now + context.sweepMs, name))
  } else {
    await lane.dropOrphanedBodies(now)
  }
}

/** Returns whether the lane has any job. */
async function ringIfWaiting({ doorbell }: SweepContext, lane: Lane): Promise<boolean> {
  const { waiting, delayed, running, nextDelayedAt } = await lane.counts()
  if (waiting > 0) doorbell.ring(lane.name)
  if (nextDelayedAt !== undefined) doorbell.ringAt(lane.name, nextDelayedAt)
  return waiting + delayed + running > 0
}
