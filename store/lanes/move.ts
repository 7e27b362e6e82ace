// Takes jobs out of lanes and ends those that are done: what is asked for in one turn of the event loop goes out
// together, in one script, whatever the lanes.
//
// The jobs are BullMQ's (6.7): the script does what its own moveToActive and moveToFinished do with ours, less the events
// that nobody here reads and the marker that wakes its workers. With a thousand lanes and a script per job, as BullMQ has
// it, most of the time went into the calls of the scripts. The last record of a job is saved with its end.
import type { Redis } from 'ioredis'

import type { InvocationRecord } from '#core/record'

import { Batches } from '../batches.ts'
import { ARGS_PER_RECORD, KEYS_PER_RECORD, type RecordPart, SAVE_RECORDS } from '../records/writer.ts'
import { runScript, script } from '../script.ts'
import type { Lane } from './lane.ts'

/** What one script does at most: Redis serves nobody else meanwhile. */
const MOST_MOVES = 64
const MOST_CHARS = 1024 * 1024
const COMMON_KEYS = 2
const COMMON_ARGS = 5
const KEYS_PER_MOVE = 9
const ARGS_PER_MOVE = 6

/**
 * A move ends a job, or takes the next one of its lane, or first the one and then the other. Whoever no longer holds a
 * job can neither end it, nor save its record, nor take another one instead.
 *
 * KEYS: the first two of SAVE_RECORDS; then nine of each move; then two of each record. ARGV: now, how long a lease
 * lasts, name of the process, the channel of SAVE_RECORDS, how many moves there are; then of each move what the keys of
 * jobs begin with, the token, the job that is to be ended or "", where its body is beside it or "", which of the records
 * is its own or 0, and "1" to take one; then of each record what SAVE_RECORDS wants.
 * Returns of each move: 0 when the lease was lost, else 1; then of what was taken its id, data, attempts made, takeovers,
 * whether it is cancelled, and how many more wait; or false, ms until the limit of starts allows another one, and the
 * score of the next delayed one or false; or nothing more.
 */
const MOVE = script(`
  ${SAVE_RECORDS}
  local now, leaseMs, process, moves = ARGV[1], ARGV[2], ARGV[3], tonumber(ARGV[5])
  local function finish(active, stalled, bodies, key, id, field)
    redis.call('LREM', active, -1, id)
    redis.call('SREM', stalled, id)
    redis.call('DEL', key, key .. ':lock')
    if field ~= '' then redis.call('HDEL', bodies, field) end
  end
  local function promote(delayed, prioritized, wait, counter, prefix)
    local ids = redis.call('ZRANGEBYSCORE', delayed, 0, (now + 1) * 4096 - 1, 'LIMIT', 0, 1000)
    if #ids == 0 then return end
    redis.call('ZREM', delayed, unpack(ids))
    for _, id in ipairs(ids) do
      local priority = tonumber(redis.call('HGET', prefix .. id, 'priority')) or 0
      if priority == 0 then redis.call('LPUSH', wait, id)
      else redis.call('ZADD', prioritized, priority * 4294967296 + redis.call('INCR', counter) % 4294967296, id) end
      redis.call('HSET', prefix .. id, 'delay', 0)
    end
  end
  local function take(reply, keys, prefix, token)
    local wait, active, prioritized, delayed, counter, meta, limiter = unpack(keys)
    local paused, concurrency, most, perMs = unpack(redis.call('HMGET', meta, 'paused', 'concurrency', 'max', 'duration'))
    promote(delayed, prioritized, wait, counter, prefix)
    reply[2], reply[3], reply[4] = false, 0, false
    if most and tonumber(redis.call('GET', limiter) or 0) >= tonumber(most) then
      reply[3] = redis.call('PTTL', limiter)
      if reply[3] > 0 then return end
    end
    if paused or (concurrency and redis.call('LLEN', active) >= tonumber(concurrency)) then return end
    local id, job
    repeat
      id = redis.call('RPOPLPUSH', wait, active)
      if not id then
        id = redis.call('ZPOPMIN', prioritized)[1]
        if id then redis.call('LPUSH', active, id) end
      end
      if not id then
        reply[4] = redis.call('ZRANGE', delayed, 0, 0, 'WITHSCORES')[2] or false
        return
      end
      job = redis.call('HMGET', prefix .. id, 'data', 'atm', 'stc', 'defa')
      if not job[1] then redis.call('LREM', active, 1, id) end
    until job[1]
    local key = prefix .. id
    if most and not job[4] and redis.call('INCR', limiter) == 1 then redis.call('PEXPIRE', limiter, perMs) end
    redis.call('SET', key .. ':lock', token, 'PX', leaseMs)
    redis.call('HSET', key, 'processedOn', now, 'pb', process)
    reply[2], reply[3], reply[4], reply[5], reply[6] = id, job[1], job[2], job[3], job[4]
    reply[7] = redis.call('LLEN', wait) + redis.call('ZCARD', prioritized)
  end
  local replies, keys, args = {}, {KEYS[1], KEYS[2]}, {ARGV[4]}
  for n = 1, moves do
    local prefix, token, id, _, record = unpack(ARGV, ${COMMON_ARGS + 1} + (n - 1) * ${ARGS_PER_MOVE}, ${COMMON_ARGS} + n * ${ARGS_PER_MOVE})
    record = tonumber(record)
    local isHeld = id == '' or redis.call('GET', prefix .. id .. ':lock') == token
    replies[n] = {isHeld and 1 or 0}
    if isHeld and record > 0 then
      local key = ${COMMON_KEYS} + moves * ${KEYS_PER_MOVE} + (record - 1) * ${KEYS_PER_RECORD}
      local arg = ${COMMON_ARGS} + moves * ${ARGS_PER_MOVE} + (record - 1) * ${ARGS_PER_RECORD}
      for k = key + 1, key + ${KEYS_PER_RECORD} do keys[#keys + 1] = KEYS[k] end
      for a = arg + 1, arg + ${ARGS_PER_RECORD} do args[#args + 1] = ARGV[a] end
    end
  end
  if #args > 1 then saveRecords(keys, args) end
  for n, reply in ipairs(replies) do
    if reply[1] == 1 then
      local own = {unpack(KEYS, ${COMMON_KEYS + 1} + (n - 1) * ${KEYS_PER_MOVE}, ${COMMON_KEYS} + n * ${KEYS_PER_MOVE})}
      local prefix, token, id, field, _, takes = unpack(ARGV, ${COMMON_ARGS + 1} + (n - 1) * ${ARGS_PER_MOVE}, ${COMMON_ARGS} + n * ${ARGS_PER_MOVE})
      if id ~= '' then finish(own[2], own[8], own[9], prefix .. id, id, field) end
      if takes == '1' then take(reply, own, prefix, token) end
    end
  end
  return replies`)

/** As the script returns it. */
type Reply = readonly [
  held: 0 | 1,
  id?: string | null,
  data?: string | number,
  made?: string | null,
  takeovers?: string | null,
  cancelled?: string | null,
  left?: number,
]

export type Moved =
  /** The job was no longer held. */
  | 'lost'
  | {
      readonly id: string
      readonly data: string
      readonly attemptsMade: number
      readonly takeovers: number
      readonly isCancelled: boolean
      /** How many more wait. */
      readonly left: number
    }
  | {
      readonly id: undefined
      /** Until the limit of starts allows another one, ms; 0: that is not why there is none. */
      readonly limitedMs: number
      /** BullMQ's score of the next one that is delayed. */
      readonly delayedScore: number | undefined
    }

interface HeldJob {
  readonly id: string
  /** Where its body is kept beside the job. */
  readonly field: string | undefined
  /** To be saved with its end. */
  readonly record: InvocationRecord | undefined
}

interface Moves {
  readonly keys: string[]
  readonly args: (string | number)[]
  readonly records: RecordPart[]
  /** Of each move. */
  readonly ended: (InvocationRecord | undefined)[]
}

/** How records are saved by a script of ours. */
export interface RecordSaving {
  readonly common: { readonly keys: readonly string[]; readonly channel: string }
  partOf(record: InvocationRecord): RecordPart
  saved(records: readonly InvocationRecord[]): void
}

export interface MoverContext {
  readonly redis: Redis
  readonly records: RecordSaving
  readonly leaseMs: number
  readonly processName: string
  readonly now: () => number
}

export class Mover {
  readonly #context: MoverContext
  readonly #batches = new Batches<Moves, readonly Reply[]>({
    empty: () => ({ keys: [], args: [], records: [], ended: [] }),
    send: (moves) => this.#run(moves),
    mostCount: MOST_MOVES,
    mostSize: MOST_CHARS,
  })

  constructor(context: MoverContext) {
    this.#context = context
  }

  /** @throws PlatformError `store-unavailable`; it may then have taken one or not. The same below. */
  async take(lane: Lane, token: string): Promise<Moved> {
    return toMoved(await this.#move(lane, token, undefined, true))
  }

  /** Whether it was still held. */
  async end(lane: Lane, token: string, job: HeldJob): Promise<boolean> {
    return (await this.#move(lane, token, job, false))[0] === 1
  }

  /** Takes under the same token. */
  async endAndTake(lane: Lane, token: string, job: HeldJob): Promise<Moved> {
    return toMoved(await this.#move(lane, token, job, true))
  }

  async #move(lane: Lane, token: string, job: HeldJob | undefined, takes: boolean): Promise<Reply> {
    const { keys, bodies } = lane
    const part = job?.record && this.#context.records.partOf(job.record)
    const { content: moves, done, count } = this.#batches.enter(part?.args[0].length ?? 0)
    if (part !== undefined) moves.records.push(part)
    const { wait, active, prioritized, delayed, pc, meta, limiter, stalled } = keys
    moves.keys.push(wait, active, prioritized, delayed, pc, meta, limiter, stalled, bodies)
    const record = part === undefined ? 0 : moves.records.length
    moves.args.push(keys[''], token, job?.id ?? '', job?.field ?? '', record, takes ? '1' : '')
    moves.ended.push(job?.record)
    return (await done.promise)[count - 1]!
  }

  async #run({ keys, args, records: parts, ended }: Moves): Promise<readonly Reply[]> {
    const { redis, records, leaseMs, processName, now } = this.#context
    const { common } = records
    const allKeys = [...common.keys, ...keys]
    const allArgs = [now(), leaseMs, processName, common.channel, ended.length, ...args]
    for (const part of parts) {
      allKeys.push(...part.keys)
      allArgs.push(...part.args)
    }
    const replies = (await runScript(redis, MOVE, allKeys, allArgs)) as readonly Reply[]
    const saved = ended.filter((record, n): record is InvocationRecord => record !== undefined && replies[n]![0] === 1)
    if (saved.length > 0) records.saved(saved)
    return replies
  }
}

function toMoved([held, id, data, made, takeovers, cancelled, left]: Reply): Moved {
  if (held === 0) return 'lost'
  if (id == null) {
    return { id: undefined, limitedMs: Number(data), delayedScore: made == null ? undefined : Number(made) }
  }
  return {
    id,
    data: String(data),
    attemptsMade: Number(made),
    takeovers: Number(takeovers),
    isCancelled: cancelled !== null,
    left: left ?? 0,
  }
}
