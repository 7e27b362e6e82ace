// One lane: a function's BullMQ queue, reduced to what Hearth uses. Takes and moves jobs; rings no bells, renews nothing.
//
// It is BullMQ's own backend for Redis, used directly: a Queue and a Worker per function would add event emitters,
// timers and 20 KB each on top of the same scripts. That is internal API, so package.json pins the version.
import { type IQueueBackend, QueueKeys, RedisQueueBackend, type RedisConnection } from 'bullmq'
import type { Redis } from 'ioredis'

import { PlatformError } from '#core/errors'
import type { FunctionName, InvocationId } from '#core/ids'
import type { QueuedInvocation } from '#core/queue'

import { guard, storeError } from '../connect.ts'
import { idFloor, type Keys } from '../keys.ts'
import { decodeQueued, encodeQueued } from './queued.ts'

export interface TakenJob {
  readonly invocation: QueuedInvocation
  readonly attempt: number
  readonly token: string
}

export type Taken = { readonly job: TakenJob } | { readonly job: undefined; readonly nextDelayedAt: number | undefined }

type Moved = Awaited<ReturnType<IQueueBackend['moveToActive']>>

export interface LaneState {
  readonly waiting: number
  readonly delayed: number
  readonly active: number
  /** When the first delayed one is due, ms since the epoch. */
  readonly nextDelayedAt: number | undefined
}

export interface LaneContext {
  readonly redis: Redis
  readonly connection: RedisConnection
  readonly keys: Keys
  readonly leaseMs: number
  /** Shown by BullMQ tools as what processed a job. */
  readonly processName: string
}

/** BullMQ's scripts say with these that the job is no longer the caller's: gone, unlocked, elsewhere, another's. */
const LOST_CODES: readonly unknown[] = [-1, -2, -3, -6]
/** Enough for its own scripts; by default every queue keeps 10,000 events that nobody here reads. */
const EVENTS_KEPT = 10
const ORPHAN_MS = 3_600_000

export class Lane {
  readonly name: FunctionName
  readonly #context: LaneContext
  readonly #backend: RedisQueueBackend
  readonly #lockOf: (id: string) => string

  constructor(name: FunctionName, context: LaneContext) {
    this.name = name
    this.#context = context
    const prefix = context.keys.queuePrefix(name)
    const queueKeys = new QueueKeys(prefix)
    this.#lockOf = (id) => queueKeys.toKey('lane', `${id}:lock`)
    const options = {
      connection: context.redis,
      prefix,
      lockDuration: context.leaseMs,
      name: context.processName,
      // Whoever takes a job over must wait until two checks have found it without a lock.
      stalledInterval: Math.ceil(context.leaseMs / 2),
      // Never given up by BullMQ: the consumer sees the attempt and records the failure.
      maxStalledCount: Number.MAX_SAFE_INTEGER,
    }
    this.#backend = new RedisQueueBackend(
      context.connection,
      'lane',
      queueKeys.getKeys('lane'),
      (type) => queueKeys.toKey('lane', type),
      options,
      undefined,
      false,
    )
  }

  /** Once per process before the first `add`. */
  async prepare(): Promise<void> {
    const limit = this.#backend.setQueueMeta({ 'opts.maxLenEvents': EVENTS_KEPT })
    // Left by an `obliterate` that did not come to its end.
    await guard(Promise.all([limit, this.#backend.removeQueueMetaFields(['paused'])]))
  }

  /** Durable when it resolves. Adding the same id twice adds once. */
  async add(invocation: QueuedInvocation, now: number): Promise<void> {
    const { data, beside } = encodeQueued(invocation)
    const job = {
      id: invocation.id,
      name: 'invocation',
      data,
      opts: { jobId: invocation.id, removeOnComplete: true },
      timestamp: now,
      progress: 0,
      attemptsMade: 0,
      attemptsStarted: 0,
      stalledCounter: 0,
    } as unknown as Parameters<IQueueBackend['addJob']>[0]
    if (beside !== undefined) {
      await guard(this.#context.redis.hset(this.#bodies, invocation.id, Buffer.from(beside)))
    }
    await guard(this.#backend.addJob(job, invocation.id))
  }

  async take(token: string): Promise<Taken> {
    return this.#taken(await guard(this.#backend.moveToActive(token, this.#context.processName)), token)
  }

  /** @param moved what BullMQ's scripts answer about the next job: nothing at all, or why there is none */
  async #taken(moved: Moved, token: string): Promise<Taken> {
    const [data, id, , nextDelayedAt] = moved
    if (!data || id === undefined) return { job: undefined, nextDelayedAt: Number(nextDelayedAt) || undefined }
    const invocation = await decodeQueued(this.name, id as InvocationId, data.data, () => this.#bodyOf(id, token))
    // A takeover counts as an attempt: the crash may well have been this invocation's doing.
    const attempt = data.attemptsMade + data.stalledCounter + 1
    return { job: { invocation, attempt, token } }
  }

  /** @throws PlatformError `conflict` when the lease is lost, here and below */
  async complete(id: string, token: string, isBeside: boolean): Promise<void> {
    const job = { id, opts: {} } as Parameters<IQueueBackend['moveToCompleted']>[0]
    await ours(this.#backend.moveToCompleted(job, 0, true, token, false))
    if (isBeside) await guard(this.#context.redis.hdel(this.#bodies, id))
  }

  /** As `complete`, and takes the next job under the same token: one script less than one after the other. */
  async completeAndTake(id: string, token: string, isBeside: boolean): Promise<Taken> {
    const job = { id, opts: {} } as Parameters<IQueueBackend['moveToCompleted']>[0]
    const { result } = await ours(this.#backend.moveToCompleted(job, 0, true, token, true))
    if (isBeside) await guard(this.#context.redis.hdel(this.#bodies, id))
    return this.#taken(result ?? [], token)
  }

  async delay(id: string, token: string, { now, delayMs, failure }: Delay): Promise<void> {
    // BullMQ tools show the reason; the account of the attempt is the record.
    const options = failure === undefined ? { skipAttempt: true } : { fieldsToUpdate: { failedReason: failure } }
    await ours(this.#backend.moveToDelayed(id, now, Math.max(1, delayMs), token, options))
  }

  /** To the head of the lane, without using up an attempt. */
  async putBack(id: string, token: string): Promise<void> {
    await ours(this.#backend.moveJobFromActiveToWait(id, token))
  }

  /** Renews leases. Returns the ids whose lease is lost. */
  async renew(jobs: readonly { readonly id: string; readonly token: string }[]): Promise<string[]> {
    const ids = jobs.map((job) => job.id)
    const tokens = jobs.map((job) => job.token)
    return guard(this.#backend.extendLocks(ids, tokens, this.#context.leaseMs))
  }

  /** Puts what dead processes held to the head of the lane. At most once per half lease among all processes. */
  async takeOver(): Promise<number> {
    const ids: unknown = await guard(this.#backend.moveStalledJobsToWait())
    return Array.isArray(ids) ? ids.length : 0
  }

  /** As takeOver, but of every job that is held, at once: whoever held it must be known to be dead. */
  async takeOverAll(): Promise<number> {
    const { active, stalled, 'stalled-check': checked } = this.#backend.keys
    const { redis } = this.#context
    const ids = await guard(redis.lrange(active!, 0, -1))
    if (ids.length === 0) return 0
    await guard(Promise.all([redis.unlink(checked!, ...ids.map(this.#lockOf)), redis.sadd(stalled!, ...ids)]))
    return this.takeOver()
  }

  async waiting(): Promise<number> {
    return guard(this.#context.redis.llen(this.#backend.keys.wait!))
  }

  async state(): Promise<LaneState> {
    const { redis } = this.#context
    const { wait, active, delayed } = this.#backend.keys
    const [waiting, running, later, first] = await guard(
      Promise.all([
        redis.llen(wait!),
        redis.llen(active!),
        redis.zcard(delayed!),
        redis.zrange(delayed!, '0', '0', 'WITHSCORES'),
      ]),
    )
    // BullMQ's score is the time in the high bits and a counter in the low twelve.
    const nextDelayedAt = first[1] === undefined ? undefined : Math.floor(Number(first[1]) / 4096)
    return { waiting, delayed: later, active: running, nextDelayedAt }
  }

  /** For a lane without jobs: drops bodies that a crash between two commands left. */
  async dropOrphanedBodies(now: number): Promise<void> {
    const ids = await guard(this.#context.redis.hkeys(this.#bodies))
    // A young one may belong to an `add` that is not done.
    const orphans = ids.filter((id) => id < idFloor(now - ORPHAN_MS))
    if (orphans.length > 0) await guard(this.#context.redis.hdel(this.#bodies, ...orphans))
  }

  /** Removes all jobs, held ones included, and every key of the lane. */
  async obliterate(): Promise<void> {
    // BullMQ wants it paused, and takes that back with everything else.
    await guard(this.#backend.pause(true))
    while ((await guard(this.#backend.obliterate({ count: 1_000, force: true }))) !== 0);
    await guard(this.#context.redis.unlink(this.#bodies))
  }

  get #bodies(): string {
    return this.#context.keys.bodies(this.name)
  }

  async #bodyOf(id: string, token: string): Promise<Uint8Array> {
    const body = await guard(this.#context.redis.hgetBuffer(this.#bodies, id))
    if (body !== null) return body
    // Without its body it can never run: out of the lane, or it comes back for ever.
    await this.complete(id, token, false)
    throw new PlatformError('internal', { detail: `the body of the queued invocation ${id} is gone` })
  }
}

interface Delay {
  readonly now: number
  readonly delayMs: number
  /** Why an attempt is used up; undefined: none is. */
  readonly failure: string | undefined
}

async function ours<T>(work: Promise<T>): Promise<T> {
  try {
    return await work
  } catch (error) {
    if (error instanceof Error && 'code' in error && LOST_CODES.includes(error.code)) {
      throw new PlatformError('conflict', { detail: 'the lease of the queued invocation is lost', cause: error })
    }
    throw storeError(error)
  }
}
