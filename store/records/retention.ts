// Lets go of records by age and by number. Runs along with writes, so an idle store does nothing.
import type { Redis } from 'ioredis'

import type { FunctionName, InvocationId } from '#core/ids'
import { RECORD_STATES } from '#core/record'

import { idFloor, type Keys } from '../keys.ts'
import type { StoreSettings } from '../settings.ts'
import { run } from './writer.ts'

/** Look again after this many records of a function, or this many ms, whichever is first. */
const PRUNE_RECORDS = 500
const PRUNE_MS = 60_000

interface Progress {
  written: number
  prunedAt: number
}

type RetentionSettings = Pick<StoreSettings, 'retentionMs' | 'recordsPerFunction'>

export class Retention {
  readonly #redis: Redis
  readonly #keys: Keys
  readonly #settings: RetentionSettings
  /** Undefined stands for all functions together. */
  readonly #progress = new Map<FunctionName | undefined, Progress>()

  constructor(redis: Redis, keys: Keys, settings: RetentionSettings) {
    this.#redis = redis
    this.#keys = keys
    this.#settings = settings
  }

  /** After a batch was written. @param counts records by function */
  async prune(counts: ReadonlyMap<FunctionName, number>, now: number): Promise<void> {
    const total = counts.values().reduce((sum, count) => sum + count, 0)
    if (total === 0) return
    if (this.#isDue(undefined, total, now)) await this.#expire(undefined, now)
    for (const [name, count] of counts) {
      if (!this.#isDue(name, count, now)) continue
      await this.#expire(name, now)
      await this.#cut(name)
    }
  }

  #isDue(scope: FunctionName | undefined, count: number, now: number): boolean {
    const progress = this.#progress.get(scope)
    if (progress !== undefined) {
      progress.written += count
      if (progress.written < PRUNE_RECORDS && now - progress.prunedAt < PRUNE_MS) return false
    }
    this.#progress.set(scope, { written: 0, prunedAt: now })
    return true
  }

  /** Takes ids whose records have expired out of the indexes of a scope. The indexes themselves expire when unused. */
  async #expire(scope: FunctionName | undefined, now: number): Promise<void> {
    const pipeline = this.#redis.pipeline()
    const oldest = idFloor(now - this.#settings.retentionMs)
    for (const state of [undefined, ...RECORD_STATES]) {
      const key = this.#keys.records(scope, state)
      pipeline.zremrangebylex(key, '-', `(${oldest}`)
      // Twice: what was written until the next look must not lose its index early.
      pipeline.pexpire(key, this.#settings.retentionMs + 2 * PRUNE_MS)
    }
    await run(pipeline)
  }

  /** Removes the oldest records of a function beyond the most it may have. */
  async #cut(name: FunctionName): Promise<void> {
    const excess = (await this.#redis.zcard(this.#keys.records(name))) - this.#settings.recordsPerFunction
    if (excess <= 0) return
    const popped = await this.#redis.zpopmin(this.#keys.records(name), Math.min(excess, 5_000))
    const ids = popped.filter((_, index) => index % 2 === 0) as InvocationId[]
    if (ids.length === 0) return
    const pipeline = this.#redis.pipeline()
    pipeline.zrem(this.#keys.records(undefined), ...ids)
    for (const state of RECORD_STATES) {
      pipeline.zrem(this.#keys.records(name, state), ...ids)
      pipeline.zrem(this.#keys.records(undefined, state), ...ids)
    }
    for (const id of ids) pipeline.unlink(this.#keys.record(id), this.#keys.log(id))
    await run(pipeline)
  }
}
