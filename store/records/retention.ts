// Lets go of records by age and by number. Runs along with writes, so an idle store does nothing.
import type { Redis } from 'ioredis'

import type { FunctionName, InvocationId } from '#core/ids'
import { type InvocationRecord, RECORD_STATES } from '#core/record'

import { guard } from '../connect.ts'
import { idFloor, type Keys } from '../keys.ts'
import { runScript, script } from '../script.ts'
import type { StoreSettings } from '../settings.ts'
import { isIndexed } from './precedence.ts'
import { run } from '../pipeline.ts'

/** Look again after this many records of an index, or this many ms, whichever is first. */
const PRUNE_RECORDS = 500
const PRUNE_MS = 60_000

/** What is queued may be very old, and goes when it is taken: it is neither cut nor expired. */
const INDEXED = RECORD_STATES.filter((state) => isIndexed(state) && state !== 'queued')
/** An index of what is queued is kept so much longer than records are. */
const LONGEST_DELAY_MS = 366 * 24 * 3_600_000

const EXPIRE = script(`
  local count, oldest, ttl, longTtl = unpack(ARGV)
  for n, key in ipairs(KEYS) do
    local isIndex = n <= tonumber(count)
    if isIndex then redis.call('ZREMRANGEBYLEX', key, '-', oldest) end
    redis.call('PEXPIRE', key, isIndex and ttl or longTtl)
  end
  return redis.call('ZCARD', KEYS[1])`)

interface Progress {
  written: number
  prunedAt: number
}

type RetentionSettings = Pick<StoreSettings, 'retentionMs' | 'recordsPerFunction'>

export class Retention {
  readonly #redis: Redis
  readonly #keys: Keys
  readonly #settings: RetentionSettings
  /** By index. */
  readonly #progress = new Map<string, Progress>()

  constructor(redis: Redis, keys: Keys, settings: RetentionSettings) {
    this.#redis = redis
    this.#keys = keys
    this.#settings = settings
  }

  /** After records were written. */
  async prune(records: readonly InvocationRecord[], now: number): Promise<void> {
    if (records.length === 0) return
    const all = this.#keys.records(undefined)
    if (this.#isDue(all, records.length, now)) await this.#expire([all], [this.#keys.recordedFunctions], now)
    for (const [name, count] of countBy(records, (record) => record.function)) {
      const index = this.#keys.records(name)
      if (!this.#isDue(index, count, now)) continue
      const byState = INDEXED.map((state) => this.#keys.records(name, state))
      const excess = await this.#expire([index, ...byState], [this.#keys.records(name, 'queued')], now)
      if (excess > 0) await this.#cut(name, byState, excess)
    }
    for (const [trigger, count] of countBy(records, (record) => record.cause?.trigger)) {
      const index = this.#keys.recordsOfTrigger(trigger)
      if (!this.#isDue(index, count, now)) continue
      const excess = await this.#expire([index], [], now)
      // The records stay with their functions.
      if (excess > 0) await guard(this.#redis.zremrangebyrank(index, 0, excess - 1))
    }
  }

  #isDue(index: string, count: number, now: number): boolean {
    const progress = this.#progress.get(index)
    if (progress !== undefined) {
      progress.written += count
      if (progress.written < PRUNE_RECORDS && now - progress.prunedAt < PRUNE_MS) return false
    }
    this.#progress.set(index, { written: 0, prunedAt: now })
    return true
  }

  /**
   * Takes ids whose records have expired out of indexes. Indexes that are not written to for long expire as a whole.
   * @param kept keys of which nothing is taken, and that expire later
   * @returns how many the first index has too many
   */
  async #expire(indexes: readonly string[], kept: readonly string[], now: number): Promise<number> {
    const { retentionMs, recordsPerFunction } = this.#settings
    // Twice: what was written until the next look must not lose its index early.
    const [ttl, longTtl] = [retentionMs + 2 * PRUNE_MS, retentionMs + LONGEST_DELAY_MS]
    const args = [indexes.length, `(${idFloor(now - retentionMs)}`, ttl, longTtl]
    const left = (await runScript(this.#redis, EXPIRE, [...indexes, ...kept], args)) as number
    return left - recordsPerFunction
  }

  /** Removes the oldest records of a function. */
  async #cut(name: FunctionName, byState: readonly string[], excess: number): Promise<void> {
    const popped = await guard(this.#redis.zpopmin(this.#keys.records(name), Math.min(excess, 5_000)))
    const ids = popped.filter((_, index) => index % 2 === 0) as InvocationId[]
    if (ids.length === 0) return
    const pipeline = this.#redis.pipeline()
    for (const index of [this.#keys.records(undefined), ...byState]) pipeline.zrem(index, ...ids)
    for (const id of ids) pipeline.unlink(this.#keys.record(id), this.#keys.log(id))
    await run(pipeline)
  }
}

function countBy<K>(
  records: readonly InvocationRecord[],
  keyOf: (record: InvocationRecord) => K | undefined,
): Map<K, number> {
  const counts = new Map<K, number>()
  for (const record of records) {
    const key = keyOf(record)
    if (key !== undefined) counts.set(key, (counts.get(key) ?? 0) + 1)
  }
  return counts
}
