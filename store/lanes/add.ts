// Puts invocations into lanes and rings: those of one turn of the event loop go out together, in one script.
//
// The jobs are BullMQ's (6.7): what its own addPrioritizedJob and addDelayedJob leave in Redis, less the events that
// nobody here reads and the marker that wakes its workers. A script per job, as BullMQ has it, costs several times as much.
import type { Redis } from 'ioredis'

import type { LaneName } from '#core/ids'
import { MAX_PRIORITY, type QueuedInvocation } from '#core/queue'

import { Batches } from '../batches.ts'
import type { Keys } from '../keys.ts'
import { runScript, script } from '../script.ts'
import type { Lane } from './lane.ts'
import { encodeQueued } from './queued.ts'

/** What one script adds at most: Redis serves nobody else meanwhile. */
const MOST_JOBS = 256
const MOST_BYTES = 1024 * 1024
/** Enough for BullMQ's own scripts; by default every queue keeps 10,000 events. */
const EVENTS_KEPT = 10
const KEYS_PER_LANE = 5
const ARGS_PER_JOB = 7

/**
 * BullMQ takes jobs without priority first and then those of priority 1, 2, …; with it, ours all have one. Jobs that
 * were taken over have none for the while, so they go before all others.
 *
 * The bell and the place among the lanes that are swept come in the same step: no crash leaves a job that nobody hears of.
 *
 * KEYS: bells, due; five of each lane. ARGV: now, when the lanes are due at the latest; then of each lane what its keys
 * begin with, its name, and how many jobs follow with seven arguments each.
 */
const ADD = script(`
  local bells, due, now = KEYS[1], KEYS[2], tonumber(ARGV[1])
  local function addJobs(keys, prefix, from, to)
    local meta, prioritized, counter, delayed, bodies = unpack(keys)
    local ready, later = {}, {}
    for at = from, to, ${ARGS_PER_JOB} do
      local id, data, acceptedAt, priority, notBefore, field, body = unpack(ARGV, at, at + ${ARGS_PER_JOB - 1})
      local key = prefix .. id
      if redis.call('EXISTS', key) == 0 then
        local dueAt = tonumber(notBefore)
        redis.call('HSET', key, 'name', 'invocation', 'data', data, 'opts', '{}', 'timestamp', acceptedAt,
          'delay', math.max(0, dueAt - now), 'priority', priority)
        if field ~= '' then
          redis.call('HSET', bodies, field, body)
          redis.call('HSET', key, 'beside', field)
        end
        if dueAt > now then
          later[#later + 1] = dueAt * 4096 + math.min(4095, #later / 2)
          later[#later + 1] = id
        else
          ready[#ready + 1] = tonumber(priority)
          ready[#ready + 1] = id
        end
      end
    end
    redis.call('HSETNX', meta, 'opts.maxLenEvents', ${EVENTS_KEPT})
    if #later > 0 then redis.call('ZADD', delayed, unpack(later)) end
    if #ready > 0 then
      local count = #ready / 2
      local first = redis.call('INCRBY', counter, count) - count
      for n = 1, count do ready[2 * n - 1] = ready[2 * n - 1] * 4294967296 + (first + n) % 4294967296 end
      redis.call('ZADD', prioritized, unpack(ready))
    end
  end
  local at = 3
  for lane = 3, #KEYS, ${KEYS_PER_LANE} do
    local prefix, name, count = ARGV[at], ARGV[at + 1], tonumber(ARGV[at + 2])
    local from, to = at + 3, at + 2 + ${ARGS_PER_JOB} * count
    addJobs({unpack(KEYS, lane, lane + ${KEYS_PER_LANE - 1})}, prefix, from, to)
    redis.call('ZADD', bells, 'NX', ARGV[1], name)
    local dueAt = redis.call('ZSCORE', due, name)
    if not dueAt or tonumber(dueAt) > tonumber(ARGV[2]) then redis.call('ZADD', due, ARGV[2], name) end
    at = to + 1
  end
  return 0`)

type Args = (string | number | Buffer)[]

/** What one script adds. */
type Adds = Map<LaneName, { readonly lane: Lane; readonly jobs: Args }>

export interface AdderContext {
  readonly redis: Redis
  readonly keys: Keys
  readonly sweepMs: number
  readonly now: () => number
}

export class Adder {
  readonly #context: AdderContext
  readonly #batches = new Batches<Adds, void>({
    empty: () => new Map(),
    send: (lanes) => this.#run(lanes),
    mostCount: MOST_JOBS,
    mostSize: MOST_BYTES,
  })

  constructor(context: AdderContext) {
    this.#context = context
  }

  /** Resolves when it is there and has rung. @throws PlatformError `store-unavailable`; it may then be there or not */
  add(lane: Lane, invocation: QueuedInvocation): Promise<void> {
    const { data, beside } = encodeQueued(invocation)
    const bytes = data.length + (beside?.body.length ?? 0)
    const { content: lanes, done } = this.#batches.enter(bytes)
    let own = lanes.get(lane.name)
    if (own === undefined) {
      own = { lane, jobs: [] }
      lanes.set(lane.name, own)
    }
    const { id, acceptedAt, priority, notBefore = 0 } = invocation
    own.jobs.push(id, data, acceptedAt, bullPriority(priority), notBefore, beside?.field ?? '', beside?.body ?? '')
    return done.promise
  }

  async #run(lanes: Adds): Promise<void> {
    const { redis, keys, sweepMs, now } = this.#context
    const time = now()
    const names = [keys.bells, keys.due]
    const args: Args = [time, time + sweepMs]
    for (const [name, { lane, jobs }] of lanes) {
      const { meta, prioritized, pc, delayed } = lane.keys
      names.push(meta, prioritized, pc, delayed, lane.bodies)
      args.push(lane.keys[''], name, jobs.length / ARGS_PER_JOB)
      for (const arg of jobs) args.push(arg)
    }
    await runScript(redis, ADD, names, args)
  }
}

/** BullMQ's smaller ones come first. */
export function bullPriority(priority: QueuedInvocation['priority']): number {
  return 1 + MAX_PRIORITY - priority
}
