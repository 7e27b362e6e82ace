// Writes batches of records and log lines. Keeps nothing in memory and decides nothing about what is dropped.
import type { Redis } from 'ioredis'

import type { InvocationRecord, RecordState, StoredLogLine } from '#core/record'

import type { Keys } from '../keys.ts'
import { run } from '../pipeline.ts'
import { runScript, script } from '../script.ts'
import type { StoreSettings } from '../settings.ts'
import type { Batch } from './buffer.ts'
import { changeLine } from './change.ts'
import { encodeRecord, isFinal, isIndexed, STATE_LETTERS } from './precedence.ts'

/** What one script writes at most: Redis serves nobody else meanwhile. */
const MOST_RECORDS = 256
const MOST_CHARS = 1024 * 1024
export const KEYS_PER_RECORD = 2
export const ARGS_PER_RECORD = 5
const ID_LENGTH = 36

/**
 * In Lua, `saveRecords(KEYS, ARGV)`: saves records unless what is there stands (precedence.ts), puts them into the lists
 * and says so, in one step: a record that is there is in its lists. The lists get all of a batch with one command each.
 *
 * KEYS: the index of all functions, their names; then of each record its own and the index of its function.
 * ARGV: the channel of changes; then of each record its value, how long it is kept, its line for the channel, the
 * index of its trigger and the channel of what settled of it, or "".
 */
export const SAVE_RECORDS = `local function saveRecords(KEYS, ARGV)
  local listed = {${listedStates()}}
  local added, removed, settled, lines, names, seen = {}, {}, {}, {}, {}, {}
  local function push(lists, key, ...)
    local list = lists[key]
    if not list then list = {} lists[key] = list end
    for n = 1, select('#', ...) do list[#list + 1] = select(n, ...) end
  end
  for n = 1, (#KEYS - 2) / 2 do
    local key, index = KEYS[2 * n + 1], KEYS[2 * n + 2]
    local value, keptMs, line, trigger, channel = unpack(ARGV, ${ARGS_PER_RECORD} * (n - 1) + 2, ${ARGS_PER_RECORD} * n + 1)
    local state, rank = string.match(value, '^(%a)(%d+):')
    local before
    local isNew = state == 'q' and rank == '0' and redis.call('SET', key, value, 'PX', keptMs, 'NX')
    local stands = false
    if not isNew then
      local current
      before, current = string.match(redis.call('GETRANGE', key, 0, 11), '^(%a)(%d+):')
      local isOver = before and string.match(before, '%u') and not string.match(state, '%u')
      stands = isOver or (current and tonumber(rank) < tonumber(current))
      if not stands then redis.call('SET', key, value, 'PX', keptMs) end
    end
    if not stands then
      local id = string.sub(line, 2, ${ID_LENGTH + 1})
      if listed[state] then push(added, index .. listed[state], 0, id) end
      if state ~= 'q' then
        push(added, KEYS[1], 0, id)
        push(added, index, 0, id)
      end
      if before and before ~= state and listed[before] then push(removed, index .. listed[before], id) end
      if trigger ~= '' then push(added, trigger, 0, id) end
      if channel ~= '' then push(settled, channel, id) end
      local name = string.match(line, '^[^ ]+', ${ID_LENGTH + 2})
      if not seen[name] then
        seen[name] = true
        names[#names + 1] = name
      end
      lines[#lines + 1] = line
    end
  end
  if #lines == 0 then return 0 end
  for key, members in pairs(added) do redis.call('ZADD', key, unpack(members)) end
  for key, ids in pairs(removed) do redis.call('ZREM', key, unpack(ids)) end
  redis.call('SADD', KEYS[2], unpack(names))
  for channel, ids in pairs(settled) do redis.call('PUBLISH', channel, table.concat(ids, ' ')) end
  redis.call('PUBLISH', ARGV[1], table.concat(lines, '\\n'))
  return #lines
end`
const WRITE = script(`${SAVE_RECORDS} return saveRecords(KEYS, ARGV)`)

/** Of a record, for SAVE_RECORDS. */
export interface RecordPart {
  readonly keys: readonly [record: string, index: string]
  readonly args: readonly [value: string, keptMs: number, line: string, triggerIndex: string, settled: string]
}

type WriterSettings = Pick<StoreSettings, 'retentionMs' | 'logLinesPerFunction' | 'logLinesPerInvocation'>

interface Part {
  readonly keys: string[]
  readonly args: (string | number)[]
  chars: number
}

export class RecordWriter {
  readonly #redis: Redis
  readonly #keys: Keys
  readonly #settings: WriterSettings

  constructor(redis: Redis, keys: Keys, settings: WriterSettings) {
    this.#redis = redis
    this.#keys = keys
    this.#settings = settings
  }

  /** What SAVE_RECORDS gets before the parts of records. */
  get common(): { readonly keys: readonly string[]; readonly channel: string } {
    const { recordedFunctions, recordsChanged } = this.#keys
    return { keys: [this.#keys.records(undefined), recordedFunctions], channel: recordsChanged }
  }

  partOf(record: InvocationRecord): RecordPart {
    const trigger = record.cause?.trigger
    const index = trigger === undefined ? '' : this.#keys.recordsOfTrigger(trigger)
    const settled = trigger === undefined || !isFinal(record.state) ? '' : this.#keys.settled(trigger)
    return {
      keys: [this.#keys.record(record.id), this.#keys.records(record.function)],
      args: [encodeRecord(record), this.#keptMs(record), changeLine(record), index, settled],
    }
  }

  /**
   * Safe to repeat after a failure: records are then the same, log lines may be there twice.
   * @throws PlatformError `store-unavailable`
   */
  async write({ records, lines }: Batch): Promise<void> {
    const parts = this.#partsOf(records)
    await Promise.all([
      ...parts.map(({ keys, args }) => runScript(this.#redis, WRITE, keys, args)),
      this.#append(lines),
    ])
  }

  #partsOf(records: readonly InvocationRecord[]): Part[] {
    const parts: Part[] = []
    for (const record of records) {
      const { keys, args } = this.partOf(record)
      const chars = args[0].length
      let part = parts.at(-1)
      const isFull = part !== undefined && part.keys.length >= 2 * MOST_RECORDS
      if (part === undefined || isFull || part.chars + chars > MOST_CHARS) {
        const { common } = this
        part = { keys: [...common.keys], args: [common.channel], chars: 0 }
        parts.push(part)
      }
      part.keys.push(...keys)
      part.args.push(...args)
      part.chars += chars
    }
    return parts
  }

  /** One that is to run later is kept until then, and as long again as all others. */
  #keptMs({ state, acceptedAt, notBefore = acceptedAt }: InvocationRecord): number {
    const { retentionMs } = this.#settings
    return state === 'queued' ? retentionMs + Math.max(0, Math.ceil(notBefore - acceptedAt)) : retentionMs
  }

  async #append(lines: readonly StoredLogLine[]): Promise<void> {
    // Making one is not cheap.
    if (lines.length === 0) return
    const { retentionMs, logLinesPerFunction, logLinesPerInvocation } = this.#settings
    const pipeline = this.#redis.pipeline()
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

/** As a Lua table: of the states that have lists of their own, what the key of the list ends with (keys.ts). */
function listedStates(): string {
  const states = (Object.keys(STATE_LETTERS) as RecordState[]).filter(isIndexed)
  return states.map((state) => `${STATE_LETTERS[state]} = ':${state}'`).join(', ')
}
