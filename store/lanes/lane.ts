// One lane: a BullMQ queue, reduced to what Hearth uses. Rings no bells, renews nothing; how jobs come in is in add.ts,
// how they are taken and ended in move.ts.
//
// The rest is BullMQ's own backend for Redis, used directly: a Queue and a Worker per function would add event emitters,
// timers and 20 KB each on top of the same scripts. That is internal API, so package.json pins the version.
import { QueueKeys, RedisQueueBackend, type RedisConnection } from 'bullmq'
import type { Redis } from 'ioredis'

import { PlatformError } from '#core/errors'
import type { InvocationId, LaneName } from '#core/ids'
import type { LaneLimits, QueuedInvocation } from '#core/queue'
import type { InvocationRecord } from '#core/record'

import { guard, storeError } from '../connect.ts'
import { idFloor, type Keys } from '../keys.ts'
import { run } from '../pipeline.ts'
import { runScript, script } from '../script.ts'
import type { Moved, Mover } from './move.ts'
import { decodeQueued, encodeQueued } from './queued.ts'

export interface TakenJob {
  readonly invocation: QueuedInvocation
  readonly attempt: number
  readonly takeovers: number
  readonly isCancelled: boolean
  /** Where its body is kept beside the job. */
  readonly field: string | undefined
  readonly token: string
  /** How many more waited when it was taken. */
  readonly left: number
}

export type Taken =
  | { readonly job: TakenJob }
  /** In how many ms there may be one: a delay is over, or the limit of starts allows another. */
  | { readonly job: undefined; readonly againAt: number | undefined }

export interface LaneCounts {
  readonly waiting: number
  readonly delayed: number
  readonly running: number
  /** When the one that waits longest was accepted, ms since the epoch. */
  readonly oldestAt: number | undefined
  /** When the first delayed one is due, ms since the epoch. */
  readonly nextDelayedAt: number | undefined
}

export interface LaneContext {
  readonly redis: Redis
  readonly connection: RedisConnection
  readonly keys: Keys
  readonly mover: Mover
  readonly leaseMs: number
  /** Shown by BullMQ tools as what processed a job. */
  readonly processName: string
  readonly now: () => number
}

/** As BullMQ names them; the empty one is what those of jobs begin with. */
export type LaneKeys = Readonly<Record<(typeof KEY_NAMES)[number], string>>
const KEY_NAMES = [
  '',
  'wait',
  'active',
  'prioritized',
  'delayed',
  'pc',
  'meta',
  'stalled',
  'stalled-check',
  'limiter',
  'events',
  'id',
  'marker',
] as const

/** BullMQ's scripts say with these that the job is no longer the caller's: gone, unlocked, elsewhere, another's. */
const LOST_CODES: readonly unknown[] = [-1, -2, -3, -6]
const ORPHAN_MS = 3_600_000
/** BullMQ's score of a delayed job is the time in the high bits and a counter in the low twelve. */
const DELAY_UNIT = 4096

/** Of those that wait, the first of each priority waits longest; those that were taken over are at the end of `wait`. */
const COUNTS = script(`
  local wait, prioritized, active, delayed = unpack(KEYS)
  local oldest = false
  local function consider(id)
    local at = id and tonumber(redis.call('HGET', ARGV[1] .. id, 'timestamp'))
    if at and (not oldest or at < oldest) then oldest = at end
  end
  consider(redis.call('LINDEX', wait, -1))
  local first = redis.call('ZRANGE', prioritized, 0, 0, 'WITHSCORES')
  while first[1] do
    consider(first[1])
    local above = (math.floor(tonumber(first[2]) / 4294967296) + 1) * 4294967296
    first = redis.call('ZRANGEBYSCORE', prioritized, above, '+inf', 'WITHSCORES', 'LIMIT', 0, 1)
  end
  local nextDelayed = redis.call('ZRANGE', delayed, 0, 0, 'WITHSCORES')[2]
  return {redis.call('LLEN', wait) + redis.call('ZCARD', prioritized), redis.call('ZCARD', delayed),
    redis.call('LLEN', active), oldest and tostring(oldest) or '', nextDelayed or ''}`)

/**
 * The job says itself that it is cancelled: to whoever takes it next, and to a holder who hears no message. \`defa\` is
 * BullMQ's, for jobs that are to fail when they are taken.
 */
const MARK_CANCELLED = script(`
  local wait, prioritized, delayed = unpack(KEYS)
  local id, key = ARGV[2], ARGV[1] .. ARGV[2]
  if redis.call('EXISTS', key) == 0 then return 'absent' end
  redis.call('HSET', key, 'defa', 'cancelled')
  if redis.call('ZSCORE', prioritized, id) or redis.call('ZSCORE', delayed, id) or redis.call('LPOS', wait, id) then
    return tonumber(redis.call('HGET', key, 'stc')) or 0
  end
  redis.call('PUBLISH', ARGV[3], ARGV[4])
  return 'told'`)
/** Out of the lane when it still waits; whoever has taken it meanwhile has found it cancelled. */
const REMOVE_CANCELLED = script(`
  local wait, prioritized, delayed, bodies = unpack(KEYS)
  local id, key = ARGV[2], ARGV[1] .. ARGV[2]
  if redis.call('ZREM', prioritized, id) + redis.call('ZREM', delayed, id) + redis.call('LREM', wait, 1, id) == 0 then
    return 'told'
  end
  redis.call('HDEL', bodies, id, redis.call('HGET', key, 'beside') or id)
  redis.call('DEL', key)
  return 'removed'`)

export class Lane {
  readonly name: LaneName
  readonly bodies: string
  readonly keys: LaneKeys
  readonly #context: LaneContext
  readonly #backend: RedisQueueBackend

  constructor(name: LaneName, context: LaneContext) {
    this.name = name
    this.bodies = context.keys.bodies(name)
    this.#context = context
    const queue = context.keys.queue(name)
    const queueKeys = new QueueKeys(queue.prefix)
    const options = {
      connection: context.redis,
      prefix: queue.prefix,
      lockDuration: context.leaseMs,
      name: context.processName,
      // Whoever takes a job over must wait until two checks have found it without a lock.
      stalledInterval: Math.ceil(context.leaseMs / 2),
      // Never given up by BullMQ: the consumer sees the attempt and records the failure.
      maxStalledCount: Number.MAX_SAFE_INTEGER,
    }
    const keys = queueKeys.getKeys(queue.name)
    this.keys = keys as LaneKeys
    const toKey = (type: string): string => queueKeys.toKey(queue.name, type)
    this.#backend = new RedisQueueBackend(context.connection, queue.name, keys, toKey, options, undefined, false)
  }

  async take(token: string): Promise<Taken> {
    return this.#taken(await this.#context.mover.take(this, token), token)
  }

  async #taken(moved: Moved, token: string): Promise<Taken> {
    if (moved === 'lost') throw lost()
    if (moved.id === undefined) {
      const { limitedMs, delayedScore } = moved
      if (limitedMs > 0) return { job: undefined, againAt: this.#context.now() + limitedMs }
      return { job: undefined, againAt: delayedScore && Math.floor(delayedScore / DELAY_UNIT) }
    }
    const { id, data, attemptsMade, takeovers, isCancelled, left } = moved
    const bodyAt = (field: string): Promise<Uint8Array> => this.#bodyOf(id, token, field)
    const decoded = await decodeQueued(this.name, id as InvocationId, data, bodyAt)
    // A takeover counts as an attempt: the crash may well have been this invocation's doing.
    return { job: { ...decoded, attempt: attemptsMade + takeovers + 1, takeovers, isCancelled, token, left } }
  }

  /** @throws PlatformError `conflict` when the lease is lost, here and below */
  async complete(job: HeldJob, record: InvocationRecord | undefined): Promise<void> {
    if (!(await this.#context.mover.end(this, job.token, { ...job, record }))) throw lost()
  }

  /** As `complete`, and takes the next job under the same token, in one step. */
  async completeAndTake(job: HeldJob, record: InvocationRecord | undefined): Promise<Taken> {
    return this.#taken(await this.#context.mover.endAndTake(this, job.token, { ...job, record }), job.token)
  }

  /** Without using up an attempt. */
  async delay({ id, token }: HeldJob, now: number, delayMs: number): Promise<void> {
    await ours(this.#backend.moveToDelayed(id, now, Math.max(1, delayMs), token, { skipAttempt: true }))
  }

  /** Uses up an attempt. */
  async retry({ id, token, field }: HeldJob, { now, delayMs, reason, changed }: Retry): Promise<void> {
    const { redis } = this.#context
    const next = changed && encodeQueued(changed.invocation, changed.revision)
    const { beside } = next ?? {}
    // First the body, under a name of its own: until the move the job has its old request with its old body.
    if (beside !== undefined) await guard(redis.hset(this.bodies, beside.field, beside.body))
    // BullMQ tools show the reason; the account of the attempt is the record.
    const fieldsToUpdate = { failedReason: reason, ...(next && { data: next.data, beside: beside?.field ?? '' }) }
    await ours(this.#backend.moveToDelayed(id, now, Math.max(1, delayMs), token, { fieldsToUpdate }))
    if (next !== undefined && field !== undefined) await guard(redis.hdel(this.bodies, field))
  }

  /** To the head of the lane, without using up an attempt. */
  async putBack({ id, token }: HeldJob): Promise<void> {
    await ours(this.#backend.moveJobFromActiveToWait(id, token))
  }

  /** Whoever takes it from now on, or holds it, finds it cancelled. With its takeovers when it waits. */
  async markCancelled(id: InvocationId): Promise<'told' | 'absent' | { readonly takeovers: number }> {
    const { wait, prioritized, delayed } = this.keys
    const { redis, keys } = this.#context
    const args = [this.keys[''], id, keys.cancelled, cancelMessage(this.name, id)]
    const found = await runScript(redis, MARK_CANCELLED, [wait, prioritized, delayed], args)
    return typeof found === 'number' ? { takeovers: found } : (found as 'told')
  }

  /** Of one that was marked. `told`: it has been taken since. */
  async removeCancelled(id: InvocationId): Promise<'removed' | 'told'> {
    const { wait, prioritized, delayed } = this.keys
    const keys = [wait, prioritized, delayed, this.bodies]
    return (await runScript(this.#context.redis, REMOVE_CANCELLED, keys, [this.keys[''], id])) as 'removed'
  }

  async has(id: InvocationId): Promise<boolean> {
    return (await guard(this.#context.redis.exists(this.keys[''] + id))) === 1
  }

  /** Renews leases. Returns the ids whose lease is lost. */
  async renew(jobs: readonly { readonly id: string; readonly token: string }[]): Promise<string[]> {
    const ids = jobs.map((job) => job.id)
    const tokens = jobs.map((job) => job.token)
    return guard(this.#backend.extendLocks(ids, tokens, this.#context.leaseMs))
  }

  /** Those of the jobs that someone has cancelled. */
  async cancelledOf(ids: readonly string[]): Promise<string[]> {
    const { redis } = this.#context
    const flags = await guard(Promise.all(ids.map((id) => redis.hexists(this.keys[''] + id, 'defa'))))
    return ids.filter((_, index) => flags[index] === 1)
  }

  /** Puts what dead processes held to the head of the lane. At most once per half lease among all processes. */
  async takeOver(): Promise<number> {
    const ids: unknown = await guard(this.#backend.moveStalledJobsToWait())
    return Array.isArray(ids) ? ids.length : 0
  }

  /** As takeOver, but of every job that is held, at once: whoever held it must be known to be dead. */
  async takeOverAll(): Promise<number> {
    const { active, stalled, 'stalled-check': checked } = this.keys
    const { redis } = this.#context
    const ids = await guard(redis.lrange(active, 0, -1))
    if (ids.length === 0) return 0
    const locks = ids.map((id) => `${this.keys['']}${id}:lock`)
    await guard(Promise.all([redis.unlink(checked, ...locks), redis.sadd(stalled, ...ids)]))
    return this.takeOver()
  }

  async waiting(): Promise<number> {
    const { redis } = this.#context
    const counts = await guard(Promise.all([redis.llen(this.keys.wait), redis.zcard(this.keys.prioritized)]))
    return counts[0] + counts[1]
  }

  async counts(): Promise<LaneCounts> {
    const { wait, prioritized, active, delayed } = this.keys
    const keys = [wait, prioritized, active, delayed]
    const reply = await runScript(this.#context.redis, COUNTS, keys, [this.keys['']])
    const [waiting, later, running, oldest, next] = reply as [number, number, number, string, string]
    const nextDelayedAt = next === '' ? undefined : Math.floor(Number(next) / DELAY_UNIT)
    return { waiting, delayed: later, running, oldestAt: oldest === '' ? undefined : Number(oldest), nextDelayedAt }
  }

  /** For all processes: BullMQ's own scripts keep them. */
  async limit({ concurrency, ratePerS }: LaneLimits): Promise<void> {
    const { redis } = this.#context
    const { meta } = this.keys
    const rate = ratePerS > 0 ? { max: ratePerS, duration: 1_000 } : {}
    const set = Object.entries({ ...(concurrency > 0 ? { concurrency } : {}), ...rate }).flat()
    const unset = [...(concurrency > 0 ? [] : ['concurrency']), ...(ratePerS > 0 ? [] : ['max', 'duration'])]
    const changes = redis.pipeline()
    if (set.length > 0) changes.hset(meta, ...set)
    if (unset.length > 0) changes.hdel(meta, ...unset)
    await run(changes)
  }

  /** For a lane without jobs: drops bodies that a crash between two commands left. */
  async dropOrphanedBodies(now: number): Promise<void> {
    const fields = await guard(this.#context.redis.hkeys(this.bodies))
    // A young one may belong to an `add` that is not done.
    const orphans = fields.filter((field) => field < idFloor(now - ORPHAN_MS))
    if (orphans.length > 0) await guard(this.#context.redis.hdel(this.bodies, ...orphans))
  }

  async #bodyOf(id: string, token: string, field: string): Promise<Uint8Array> {
    const body = await guard(this.#context.redis.hgetBuffer(this.bodies, field))
    if (body !== null) return body
    // Without its body it can never run: out of the lane, or it comes back for ever.
    await this.complete({ id, token, field: undefined }, undefined)
    throw new PlatformError('internal', { detail: `the body of the queued invocation ${id} is gone` })
  }
}

/** What is said on the channel of jobs that are to be stopped. A call and what is told about it have the same id. */
export function cancelMessage(name: LaneName, id: string): string {
  return `${name} ${id}`
}

interface HeldJob {
  readonly id: string
  readonly token: string
  /** Where its body is kept beside the job. */
  readonly field: string | undefined
}

interface Retry {
  readonly now: number
  readonly delayMs: number
  readonly reason: string
  /** What the next attempt gets instead. */
  readonly changed: { readonly invocation: QueuedInvocation; readonly revision: number } | undefined
}

async function ours<T>(work: Promise<T>): Promise<T> {
  try {
    return await work
  } catch (error) {
    if (error instanceof Error && 'code' in error && LOST_CODES.includes(error.code)) throw lost(error)
    throw storeError(error)
  }
}

function lost(cause?: Error): PlatformError {
  return new PlatformError('conflict', { detail: 'the lease of the queued invocation is lost', cause })
}
