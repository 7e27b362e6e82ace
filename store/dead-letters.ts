// The dead-letter lanes: what failed for good, per function, in a hash with an index by time. Redrives nothing itself.
import type { Redis } from 'ioredis'

import { type Clock, systemClock } from '#core/clock'
import type { DeadLetter, DeadLetterPage, DeadLetters } from '#core/dead-letter'
import { PlatformError } from '#core/errors'
import type { FunctionName, InvocationId } from '#core/ids'

import { guard } from './connect.ts'
import type { Keys } from './keys.ts'
import { run } from './pipeline.ts'
import { runScript, script } from './script.ts'
import type { StoreSettings } from './settings.ts'

/** Removed by one script; Redis serves nobody else meanwhile. */
const BATCH = 500

/** Returns how many had to go although their time was not over. */
const ADD = script(`
  local index, letters = unpack(KEYS)
  local id, at, letter, retention, most = ARGV[1], tonumber(ARGV[2]), ARGV[3], tonumber(ARGV[4]), tonumber(ARGV[5])
  local function remove(ids)
    if #ids > 0 then
      redis.call('ZREM', index, unpack(ids))
      redis.call('HDEL', letters, unpack(ids))
    end
    return #ids
  end
  if redis.call('HSETNX', letters, id, letter) == 1 then redis.call('ZADD', index, at, id) end
  remove(redis.call('ZRANGEBYSCORE', index, '-inf', at - retention, 'LIMIT', 0, ${BATCH}))
  local excess = math.min(redis.call('ZCARD', index) - most, ${BATCH})
  local dropped = excess > 0 and remove(redis.call('ZRANGE', index, 0, excess - 1)) or 0
  redis.call('PEXPIRE', index, retention)
  redis.call('PEXPIRE', letters, retention)
  return dropped`)
const REMOVE = script(`
  redis.call('ZREM', KEYS[1], ARGV[1])
  return redis.call('HDEL', KEYS[2], ARGV[1])`)
/** Those that are there now, and not those that come meanwhile. */
const PURGE = script(`
  local count = redis.call('ZCOUNT', KEYS[1], '(' .. ARGV[1], '+inf')
  redis.call('UNLINK', KEYS[1], KEYS[2])
  return count`)
/** A page after the cursor, newest first; of the same time the greater id comes first, as in the index. */
const PAGE = script(`
  local oldest, limit, at, id = '(' .. ARGV[1], tonumber(ARGV[2]), ARGV[3], ARGV[4]
  local skip = 0
  if at ~= '' then
    for _, tied in ipairs(redis.call('ZRANGEBYSCORE', KEYS[1], at, at)) do if tied >= id then skip = skip + 1 end end
  end
  local ids = redis.call('ZREVRANGEBYSCORE', KEYS[1], at == '' and '+inf' or at, oldest, 'WITHSCORES', 'LIMIT', skip, limit + 1)
  if #ids == 0 then return {} end
  local page = {}
  for n = 1, #ids, 2 do
    page[#page + 1] = ids[n]
    page[#page + 1] = ids[n + 1]
    page[#page + 1] = n <= 2 * limit and redis.call('HGET', KEYS[2], ids[n]) or ''
  end
  return page`)

type StoredLetter = Omit<DeadLetter, 'invocation'> & {
  readonly invocation: Omit<DeadLetter['invocation'], 'request'> & {
    readonly request: Omit<DeadLetter['invocation']['request'], 'body'> & { readonly body: string }
  }
}

interface DeadLettersContext {
  readonly keys: Keys
  readonly settings: Pick<StoreSettings, 'deadLetterMs' | 'deadLettersPerFunction'>
  readonly clock?: Clock
}

export class RedisDeadLetters implements DeadLetters {
  readonly #redis: Redis
  readonly #keys: Keys
  readonly #settings: DeadLettersContext['settings']
  readonly #clock: Clock
  #dropped = 0

  constructor(redis: Redis, { keys, settings, clock = systemClock }: DeadLettersContext) {
    this.#redis = redis
    this.#keys = keys
    this.#settings = settings
    this.#clock = clock
  }

  /** Letters that this process dropped since its start because a function had too many. */
  get dropped(): number {
    return this.#dropped
  }

  async add(letter: DeadLetter): Promise<void> {
    const { id, function: name } = letter.invocation
    const { deadLetterMs, deadLettersPerFunction } = this.#settings
    const args = [id, letter.at, encode(letter), deadLetterMs, deadLettersPerFunction]
    // The name first: one without letters does no harm.
    const [, dropped] = await Promise.all([
      guard(this.#redis.sadd(this.#keys.deadFunctions, name)),
      runScript(this.#redis, ADD, this.#keysOf(name), args),
    ])
    this.#dropped += dropped as number
  }

  async list(name: FunctionName, page: { readonly limit: number; readonly cursor?: string }): Promise<DeadLetterPage> {
    const { at, id } = parseCursor(page.cursor)
    const reply = await runScript(this.#redis, PAGE, this.#keysOf(name), [this.#oldest(), page.limit, at, id])
    const found = [...triples(reply as string[])]
    const shown = found.slice(0, page.limit)
    const last = shown.at(-1)
    const more = found.length > page.limit && last !== undefined
    const letters = shown.filter(({ letter }) => letter !== '').map(({ letter }) => decode(letter))
    return { letters, ...(more ? { next: `${last.at}.${last.id}` } : {}) }
  }

  async get(name: FunctionName, id: InvocationId): Promise<DeadLetter | undefined> {
    const [index, letters] = this.#keysOf(name)
    const [at, letter] = await guard(Promise.all([this.#redis.zscore(index, id), this.#redis.hget(letters, id)]))
    if (at === null || letter === null || Number(at) <= this.#oldest()) return undefined
    return decode(letter)
  }

  async remove(name: FunctionName, id: InvocationId): Promise<boolean> {
    return (await runScript(this.#redis, REMOVE, this.#keysOf(name), [id])) === 1
  }

  async purge(name: FunctionName): Promise<number> {
    return (await runScript(this.#redis, PURGE, this.#keysOf(name), [this.#oldest()])) as number
  }

  async count(name: FunctionName): Promise<number> {
    return guard(this.#redis.zcount(this.#keys.dead(name), `(${this.#oldest()}`, '+inf'))
  }

  async counts(): Promise<ReadonlyMap<FunctionName, number>> {
    const names = (await guard(this.#redis.smembers(this.#keys.deadFunctions))) as FunctionName[]
    const pipeline = this.#redis.pipeline()
    for (const name of names) pipeline.zcount(this.#keys.dead(name), `(${this.#oldest()}`, '+inf')
    const counts = (await run(pipeline)) as number[]
    const found = names.map((name, index) => [name, counts[index] ?? 0] as const).filter(([, count]) => count > 0)
    return new Map(found)
  }

  /** Those that came at this time or before are over. */
  #oldest(): number {
    return this.#clock.now() - this.#settings.deadLetterMs
  }

  #keysOf(name: FunctionName): [index: string, letters: string] {
    return [this.#keys.dead(name), this.#keys.deadLetters(name)]
  }
}

function encode({ invocation, ...rest }: DeadLetter): string {
  const { request } = invocation
  const body = Buffer.from(request.body).toString('base64')
  return JSON.stringify({
    ...rest,
    invocation: { ...invocation, request: { ...request, body } },
  } satisfies StoredLetter)
}

function decode(text: string): DeadLetter {
  const { invocation, ...rest } = JSON.parse(text) as StoredLetter
  const { request } = invocation
  return { ...rest, invocation: { ...invocation, request: { ...request, body: Buffer.from(request.body, 'base64') } } }
}

function* triples(flat: readonly string[]): Iterable<{ id: string; at: string; letter: string }> {
  for (let n = 0; n + 2 < flat.length; n += 3) yield { id: flat[n]!, at: flat[n + 1]!, letter: flat[n + 2]! }
}

function parseCursor(cursor: string | undefined): { at: string; id: string } {
  if (cursor === undefined) return { at: '', id: '' }
  const [, at, id] = /^(\d{1,16})\.([0-9a-f-]{36})$/.exec(cursor) ?? []
  if (at !== undefined && id !== undefined) return { at, id }
  throw new PlatformError('invalid-request', {
    detail: `a cursor is the "next" of the page before: received ${JSON.stringify(cursor.slice(0, 80))}`,
  })
}
