// Puts invocations into lanes: those of one turn of the event loop go out together, one script per lane.
//
// The jobs are BullMQ's (6.7): what its own addPrioritizedJob and addDelayedJob leave in Redis, less the events that
// nobody here reads and the marker that wakes its workers. A script per job, as BullMQ has it, costs several times as much.
import type { Redis } from 'ioredis'

import type { LaneName } from '#core/ids'
import { MAX_PRIORITY, type QueuedInvocation } from '#core/queue'

import { runScript, script } from '../script.ts'
import type { Lane } from './lane.ts'
import { encodeQueued } from './queued.ts'

/** What one script adds at most: Redis serves nobody else meanwhile. */
const MOST_JOBS = 256
const MOST_BYTES = 1024 * 1024
/** Enough for BullMQ's own scripts; by default every queue keeps 10,000 events. */
const EVENTS_KEPT = 10
const ARGS_PER_JOB = 7

/**
 * BullMQ takes jobs without priority first and then those of priority 1, 2, …; with it, ours all have one. Jobs that
 * were taken over have none for the while, so they go before all others.
 */
const ADD = script(`
  local meta, prioritized, counter, delayed, bodies = unpack(KEYS)
  local prefix, now = ARGV[1], tonumber(ARGV[2])
  redis.call('HSETNX', meta, 'opts.maxLenEvents', ${EVENTS_KEPT})
  local ready, later = {}, {}
  for at = 3, #ARGV, ${ARGS_PER_JOB} do
    local id, data, acceptedAt, priority, notBefore = unpack(ARGV, at, at + 4)
    local key = prefix .. id
    if redis.call('EXISTS', key) == 0 then
      local due = tonumber(notBefore)
      redis.call('HSET', key, 'name', 'invocation', 'data', data, 'opts', '{}', 'timestamp', acceptedAt,
        'delay', math.max(0, due - now), 'priority', priority)
      if ARGV[at + 5] ~= '' then redis.call('HSET', bodies, ARGV[at + 5], ARGV[at + 6]) end
      if due > now then
        later[#later + 1] = due * 4096 + math.min(4095, #later / 2)
        later[#later + 1] = id
      else
        ready[#ready + 1] = tonumber(priority)
        ready[#ready + 1] = id
      end
    end
  end
  if #later > 0 then redis.call('ZADD', delayed, unpack(later)) end
  if #ready > 0 then
    local count = #ready / 2
    local first = redis.call('INCRBY', counter, count) - count
    for n = 1, count do ready[2 * n - 1] = ready[2 * n - 1] * 4294967296 + (first + n) % 4294967296 end
    redis.call('ZADD', prioritized, unpack(ready))
  end
  return #ready + #later`)

/** Of one script. */
interface Batch {
  readonly lane: Lane
  readonly args: (string | number | Buffer)[]
  bytes: number
  readonly done: PromiseWithResolvers<void>
}

export interface AdderContext {
  readonly redis: Redis
  /** Called before the jobs of a lane are sent. Its commands reach Redis first. */
  readonly onSend: (name: LaneName) => Promise<void>
  /** Called after jobs were sent. */
  readonly onSent: (names: readonly LaneName[]) => void
  readonly now: () => number
}

export class Adder {
  readonly #context: AdderContext
  /** To be sent at the end of this turn; the last of each lane may still grow. */
  #batches: Batch[] = []
  readonly #last = new Map<LaneName, Batch>()

  constructor(context: AdderContext) {
    this.#context = context
  }

  /** Resolves when it is there. @throws PlatformError `store-unavailable`; it may then be there or not */
  add(lane: Lane, invocation: QueuedInvocation): Promise<void> {
    const { data, beside } = encodeQueued(invocation)
    const bytes = data.length + (beside?.body.length ?? 0)
    const batch = this.#batchFor(lane, bytes)
    const { id, acceptedAt, priority, notBefore = 0 } = invocation
    batch.bytes += bytes
    batch.args.push(id, data, acceptedAt, bullPriority(priority), notBefore, beside?.field ?? '', beside?.body ?? '')
    return batch.done.promise
  }

  #batchFor(lane: Lane, bytes: number): Batch {
    const last = this.#last.get(lane.name)
    if (last !== undefined && last.args.length < MOST_JOBS * ARGS_PER_JOB && last.bytes + bytes <= MOST_BYTES)
      return last
    const batch: Batch = { lane, args: [], bytes: 0, done: Promise.withResolvers() }
    if (this.#batches.push(batch) === 1) setImmediate(() => this.#send())
    this.#last.set(lane.name, batch)
    return batch
  }

  #send(): void {
    const batches = this.#batches
    const names = [...this.#last.keys()]
    this.#batches = []
    this.#last.clear()
    const known = new Map(names.map((name) => [name, this.#context.onSend(name)]))
    for (const { lane, args, done } of batches) {
      const sent = this.#run(lane, args)
      Promise.all([known.get(lane.name), sent]).then(() => done.resolve(), done.reject)
    }
    this.#context.onSent(names)
  }

  #run({ keys, bodies }: Lane, args: Batch['args']): Promise<unknown> {
    const { redis, now } = this.#context
    const { meta, prioritized, pc, delayed } = keys
    return runScript(redis, ADD, [meta, prioritized, pc, delayed, bodies], [keys[''], now(), ...args])
  }
}

/** BullMQ's smaller ones come first. */
export function bullPriority(priority: QueuedInvocation['priority']): number {
  return 1 + MAX_PRIORITY - priority
}
