// Writes batches of records and log lines. Keeps nothing in memory and decides nothing about what is dropped.
import type { ChainableCommander, Redis } from 'ioredis'

import { PlatformError } from '#core/errors'
import type { FunctionName, InvocationId } from '#core/ids'
import type { InvocationRecord, RecordState, StoredLogLine } from '#core/record'

import { storeError } from '../connect.ts'
import { type Keys, shardOf } from '../keys.ts'
import { runScript, script } from '../script.ts'
import type { StoreSettings } from '../settings.ts'
import type { Batch } from './buffer.ts'
import { changesText, settledByTrigger } from './changes.ts'
import { encodeRecord, stateOfLetter } from './precedence.ts'

/**
 * Saves records unless what is there stands (precedence.ts). Returns for each the letter of the state before, "" for
 * none, "-" when it was refused.
 */
const SAVE = script(`
  local before = {}
  for i, key in ipairs(KEYS) do
    local value = ARGV[i + 1]
    local state, attempts = string.match(redis.call('GETRANGE', key, 0, 11), '^(%a)(%d+):')
    local newState, newAttempts = string.match(value, '^(%a)(%d+):')
    local final = state and string.match(state, '%u') and not string.match(newState, '%u')
    if final or (attempts and tonumber(newAttempts) < tonumber(attempts)) then
      before[i] = '-'
    else
      redis.call('SET', key, value, 'PX', ARGV[1])
      before[i] = state or ''
    end
  end
  return before`)
const REFUSED = '-'

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
    const before = await this.#save(records)
    const pipeline = this.#redis.pipeline()
    this.#index(pipeline, records, before)
    this.#append(pipeline, lines)
    this.#announce(
      pipeline,
      records.filter(({ id }) => before.has(id)),
    )
    await run(pipeline)
  }

  /** The letter of the state before, by record, "" for none; refused ones are left out. */
  async #save(records: readonly InvocationRecord[]): Promise<Map<InvocationId, string>> {
    const [fresh, others] = [records.filter(isFresh), records.filter((record) => !isFresh(record))]
    const before = new Map<InvocationId, string>()
    const [known] = await Promise.all([this.#create(fresh, before), this.#update(others, before)])
    await this.#update(known, before)
    return before
  }

  /** Without a script, which would cost several times as much. Returns those that are there already. */
  async #create(
    records: readonly InvocationRecord[],
    before: Map<InvocationId, string>,
  ): Promise<readonly InvocationRecord[]> {
    const pipeline = this.#redis.pipeline()
    for (const record of records) {
      pipeline.set(this.#keys.record(record.id), encodeRecord(record), 'PX', this.#settings.retentionMs, 'NX')
    }
    const replies = await run(pipeline)
    const isCreated = (_: InvocationRecord, position: number): boolean => replies[position] === 'OK'
    for (const record of records.filter(isCreated)) before.set(record.id, '')
    return records.filter((record) => !before.has(record.id))
  }

  async #update(records: readonly InvocationRecord[], before: Map<InvocationId, string>): Promise<void> {
    const shards = [...Map.groupBy(records, (record) => shardOf(record.id)).values()]
    const replies = (await Promise.all(
      shards.map((shard) => {
        const keys = shard.map((record) => this.#keys.record(record.id))
        return runScript(this.#redis, SAVE, keys, [this.#settings.retentionMs, ...shard.map(encodeRecord)])
      }),
    )) as string[][]
    for (const [index, shard] of shards.entries()) {
      for (const [position, record] of shard.entries()) {
        const letter = replies[index]?.[position] ?? REFUSED
        if (letter !== REFUSED) before.set(record.id, letter)
      }
    }
  }

  /** Adds even what is there already: the batch may be a repetition after a crash between the two steps. */
  #index(pipeline: ChainableCommander, records: readonly InvocationRecord[], before: Map<InvocationId, string>): void {
    const added = new Map<string, InvocationId[]>()
    const removed = new Map<string, InvocationId[]>()
    const note = (target: Map<string, InvocationId[]>, record: InvocationRecord, state?: RecordState): void => {
      for (const scope of [record.function, undefined]) {
        push(target, this.#keys.records(scope, state), record.id)
      }
    }
    for (const record of records) {
      const letter = before.get(record.id)
      if (letter === undefined) continue
      note(added, record)
      note(added, record, record.state)
      const trigger = record.cause?.trigger
      if (trigger !== undefined) push(added, this.#keys.recordsOfTrigger(trigger), record.id)
      const state = stateOfLetter(letter)
      if (state !== undefined && state !== record.state) note(removed, record, state)
    }
    for (const [key, ids] of added) pipeline.zadd(key, ...ids.flatMap((id) => [0, id]))
    for (const [key, ids] of removed) pipeline.zrem(key, ...ids)
  }

  #announce(pipeline: ChainableCommander, records: readonly InvocationRecord[]): void {
    if (records.length === 0) return
    pipeline.publish(this.#keys.recordsChanged, changesText(records))
    for (const [trigger, ids] of settledByTrigger(records)) pipeline.publish(this.#keys.settled(trigger), ids.join(' '))
  }

  #append(pipeline: ChainableCommander, lines: readonly StoredLogLine[]): void {
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

/** Which function the records of a batch belong to, and how many there are of each. */
export function countByFunction(records: readonly InvocationRecord[]): Map<FunctionName, number> {
  const counts = new Map<FunctionName, number>()
  for (const record of records) counts.set(record.function, (counts.get(record.function) ?? 0) + 1)
  return counts
}

/** @throws PlatformError for the first command that failed */
export async function run(pipeline: ChainableCommander): Promise<unknown[]> {
  if (pipeline.length === 0) return []
  const replies = await pipeline.exec().catch((error) => {
    throw storeError(error)
  })
  if (replies === null) throw new PlatformError('internal', { detail: 'Redis dropped a transaction of Hearth' })
  return replies.map(([error, reply]) => {
    if (error) throw storeError(error)
    return reply
  })
}
