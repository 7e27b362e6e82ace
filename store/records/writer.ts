// Writes batches of records and log lines. Keeps nothing in memory and decides nothing about what is dropped.
import type { ChainableCommander, Redis } from 'ioredis'

import type { InvocationId } from '#core/ids'
import type { InvocationRecord, RecordState, StoredLogLine } from '#core/record'

import { type Keys, shardOf } from '../keys.ts'
import { run } from '../pipeline.ts'
import { runScript, type Script, script } from '../script.ts'
import type { StoreSettings } from '../settings.ts'
import type { Batch } from './buffer.ts'
import { changesText, settledByTrigger } from './changes.ts'
import { encodeRecord, isIndexed, stateOfLetter } from './precedence.ts'

/**
 * Saves records unless what is there stands (precedence.ts). Returns for each the letter of the state before, "" for
 * none, "-" when it was refused.
 */
const SAVE = script(`
  local before = {}
  for i, key in ipairs(KEYS) do
    local value = ARGV[2 * i - 1]
    local state, attempts = string.match(redis.call('GETRANGE', key, 0, 11), '^(%a)(%d+):')
    local newState, newAttempts = string.match(value, '^(%a)(%d+):')
    local final = state and string.match(state, '%u') and not string.match(newState, '%u')
    if final or (attempts and tonumber(newAttempts) < tonumber(attempts)) then
      before[i] = '-'
    else
      redis.call('SET', key, value, 'PX', ARGV[2 * i])
      before[i] = state or ''
    end
  end
  return before`)
const REFUSED = '-'
/** Writes records that are most likely new. Returns the positions of those that are not, which stay as they are. */
const CREATE = script(`
  local known = {}
  for i, key in ipairs(KEYS) do
    if not redis.call('SET', key, ARGV[2 * i - 1], 'PX', ARGV[2 * i], 'NX') then known[#known + 1] = i end
  end
  return known`)

interface Entry {
  readonly record: InvocationRecord
  /** The state that it had; undefined: it was not there. */
  readonly before: RecordState | undefined
}

type WriterSettings = Pick<StoreSettings, 'retentionMs' | 'logLinesPerFunction' | 'logLinesPerInvocation'>

export class RecordWriter {
  readonly #redis: Redis
  readonly #keys: Keys
  readonly #settings: WriterSettings

  constructor(redis: Redis, keys: Keys, settings: WriterSettings) {
    this.#redis = redis
    this.#keys = keys
    this.#settings = settings
  }

  /**
   * Safe to repeat after a failure: records are then the same, log lines may be there twice.
   * @throws PlatformError `store-unavailable`
   */
  async write({ records, lines }: Batch): Promise<void> {
    const [fresh, others] = [records.filter(isFresh), records.filter((record) => !isFresh(record))]
    const [known] = await Promise.all([this.#create(fresh), this.#update(others), this.#append(lines)])
    // It was there already. Its place among the queued ones is wrong if it is no longer queued; a list puts that right.
    await this.#update(known)
  }

  /** All in one go, as if none were there already. Returns those that are. */
  async #create(records: readonly InvocationRecord[]): Promise<readonly InvocationRecord[]> {
    const existing = this.#byShard(CREATE, records)
    const entries = records.map((record) => ({ record, before: undefined }))
    const [known] = await Promise.all([existing, this.#index(entries)])
    return known.flatMap(([shard, positions]) => (positions as number[]).map((position) => shard[position - 1]!))
  }

  async #update(records: readonly InvocationRecord[]): Promise<void> {
    const entries: Entry[] = []
    for (const [shard, letters] of await this.#byShard(SAVE, records)) {
      for (const [position, record] of shard.entries()) {
        const letter = (letters as string[])[position] ?? REFUSED
        if (letter !== REFUSED) entries.push({ record, before: stateOfLetter(letter) })
      }
    }
    await this.#index(entries)
  }

  /** Runs a script for the records of each slot; its replies with what they are about. */
  #byShard(what: Script, records: readonly InvocationRecord[]): Promise<(readonly [InvocationRecord[], unknown])[]> {
    const shards = [...Map.groupBy(records, (record) => shardOf(record.id)).values()]
    return Promise.all(
      shards.map(async (shard) => {
        const keys = shard.map((record) => this.#keys.record(record.id))
        const args = shard.flatMap((record) => [encodeRecord(record), this.#keptMs(record)])
        return [shard, await runScript(this.#redis, what, keys, args)] as const
      }),
    )
  }

  /** One that is to run later is kept until then, and as long again as all others. */
  #keptMs({ state, acceptedAt, notBefore = acceptedAt }: InvocationRecord): number {
    const { retentionMs } = this.#settings
    return state === 'queued' ? retentionMs + Math.max(0, notBefore - acceptedAt) : retentionMs
  }

  /** Adds even what is there already: the batch may be a repetition after a crash between the two steps. */
  async #index(entries: readonly Entry[]): Promise<void> {
    if (entries.length === 0) return
    const added = new Map<string, InvocationId[]>()
    const removed = new Map<string, InvocationId[]>()
    for (const { record, before } of entries) {
      const { id, function: name, state, cause } = record
      if (isIndexed(state)) push(added, this.#keys.records(name, state), id)
      if (state !== 'queued') {
        push(added, this.#keys.records(undefined), id)
        push(added, this.#keys.records(name), id)
      }
      if (cause?.trigger !== undefined) push(added, this.#keys.recordsOfTrigger(cause.trigger), id)
      if (before !== undefined && before !== state && isIndexed(before)) {
        push(removed, this.#keys.records(name, before), id)
      }
    }
    const pipeline = this.#redis.pipeline()
    for (const [key, ids] of added) pipeline.zadd(key, ...ids.flatMap((id) => ['0', id]))
    for (const [key, ids] of removed) pipeline.zrem(key, ...ids)
    const records = entries.map(({ record }) => record)
    pipeline.sadd(this.#keys.recordedFunctions, ...new Set(records.map((record) => record.function)))
    this.#announce(pipeline, records)
    await run(pipeline)
  }

  #announce(pipeline: ChainableCommander, records: readonly InvocationRecord[]): void {
    pipeline.publish(this.#keys.recordsChanged, changesText(records))
    for (const [trigger, ids] of settledByTrigger(records)) pipeline.publish(this.#keys.settled(trigger), ids.join(' '))
  }

  async #append(lines: readonly StoredLogLine[]): Promise<void> {
    const pipeline = this.#redis.pipeline()
    const { retentionMs, logLinesPerFunction, logLinesPerInvocation } = this.#settings
    for (const [id, own] of Map.groupBy(lines, (line) => line.invocation)) {
      const key = this.#keys.log(id)
      pipeline.rpush(key, ...own.map((line) => JSON.stringify(line)))
      pipeline.ltrim(key, 0, logLinesPerInvocation - 1)
      pipeline.pexpire(key, retentionMs)
    }
    for (const [name, own] of Map.groupBy(lines, (line) => line.function)) {
      const key = this.#keys.logs(name)
      for (const line of own) pipeline.xadd(key, 'MAXLEN', '~', logLinesPerFunction, '*', 'l', JSON.stringify(line))
      pipeline.pexpire(key, retentionMs)
      pipeline.publish(this.#keys.moreLogs(name), '')
    }
    await run(pipeline)
  }
}

function push(ids: Map<string, InvocationId[]>, key: string, id: InvocationId): void {
  const known = ids.get(key)
  if (known === undefined) ids.set(key, [id])
  else known.push(id)
}

/** Most likely the first record of its invocation. */
function isFresh({ state, attempts }: InvocationRecord): boolean {
  return state === 'queued' && attempts.length === 0
}
