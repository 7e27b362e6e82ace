// Which requests were made before, by their Idempotency-Key. Knows nothing of what they were about.
//
// A key that is under way has a lease, which its process renews: when the process dies, the next one that begins gets
// the key, and is told so.
import { createHash, randomUUID } from 'node:crypto'

import type { Redis } from 'ioredis'

import { type Clock, systemClock } from '#core/clock'
import type { Begun, IdempotencyKey, IdempotencyStore, StoredResponse } from '#core/idempotency'
import type { Digest, InvocationId } from '#core/ids'
import type { HeaderList } from '#core/invocation'

import { GatheredScript } from './gathered-script.ts'
import type { Keys } from './keys.ts'
import { runScript, script } from './script.ts'
import type { StoreSettings } from './settings.ts'
import type { Subscriptions } from './subscriptions.ts'

/** How often a wait looks although it has heard nothing: a process that dies says nothing. ms */
const POLL_MS = 1_000

/** KEYS: the key, its lease. The state is `r` (under way), `?` (in doubt) or `d` (done). */
const BEGIN = `
  local fingerprint, invocation, owner, leaseMs, keptMs = unpack(ARGV)
  local known = redis.call('HMGET', KEYS[1], 'state', 'fingerprint', 'invocation')
  local state = known[1]
  if state and known[2] ~= fingerprint then return {'mismatch', known[3]} end
  if state == 'd' then
    local response = redis.call('HMGET', KEYS[1], 'status', 'headers', 'body')
    return {'done', known[3], response[1], response[2], response[3]}
  end
  if state == 'r' and redis.call('EXISTS', KEYS[2]) == 1 then return {'running', known[3]} end
  if state then redis.call('HSET', KEYS[1], 'state', 'r')
  else redis.call('HSET', KEYS[1], 'state', 'r', 'fingerprint', fingerprint, 'invocation', invocation) end
  redis.call('PEXPIRE', KEYS[1], keptMs)
  redis.call('SET', KEYS[2], owner, 'PX', leaseMs)
  return {'first', state and known[3] or ''}`
/** The first response stays. Also of a process that has lost its lease: it has done what the key stands for. */
const FINISH = `
  local state = redis.call('HGET', KEYS[1], 'state')
  if not state or state == 'd' then return 0 end
  redis.call('HSET', KEYS[1], 'state', 'd', 'status', ARGV[3], 'headers', ARGV[4], 'body', ARGV[5])
  redis.call('PEXPIRE', KEYS[1], ARGV[2])
  redis.call('DEL', KEYS[2])
  redis.call('PUBLISH', ARGV[1], '')
  return 1`
/** Only for the process that has the lease: another one may have taken over. */
const END = script(`
  if redis.call('GET', KEYS[2]) ~= ARGV[2] then return 0 end
  if ARGV[3] == 'doubt' then redis.call('HSET', KEYS[1], 'state', '?') else redis.call('DEL', KEYS[1]) end
  redis.call('DEL', KEYS[2])
  redis.call('PUBLISH', ARGV[1], '')
  return 1`)
const RENEW = script(`
  if redis.call('GET', KEYS[2]) ~= ARGV[1] then return 0 end
  redis.call('PEXPIRE', KEYS[1], ARGV[3])
  return redis.call('PEXPIRE', KEYS[2], ARGV[2])`)

interface IdempotencyContext {
  readonly keys: Keys
  readonly settings: Pick<StoreSettings, 'idempotencyMs' | 'leaseMs'>
  readonly subscriptions: Subscriptions
  readonly clock?: Clock
}

export class RedisIdempotency implements IdempotencyStore, Disposable {
  readonly #redis: Redis
  readonly #context: IdempotencyContext
  readonly #clock: Clock
  /** Under way here, with the owner that has the lease. */
  readonly #held = new Map<Digest, string>()
  readonly #processId = randomUUID().slice(0, 13)
  readonly #timer: Disposable
  readonly #beginning: GatheredScript
  readonly #finishing: GatheredScript
  #owners = 0

  constructor(redis: Redis, context: IdempotencyContext) {
    this.#redis = redis
    this.#context = context
    this.#clock = context.clock ?? systemClock
    this.#beginning = new GatheredScript(redis, BEGIN, { keys: 2, args: 5 })
    this.#finishing = new GatheredScript(redis, FINISH, { keys: 2, args: 5 })
    this.#timer = this.#clock.every(context.settings.leaseMs / 3, () => void this.#renew())
  }

  /** Those of one turn of the event loop go out together. */
  async begin(key: IdempotencyKey, fingerprint: Digest, invocation: InvocationId): Promise<Begun> {
    const digest = digestOf(key)
    const { idempotencyMs, leaseMs } = this.#context.settings
    const owner = `${this.#processId}:${++this.#owners}`
    const args = [fingerprint, invocation, owner, leaseMs, idempotencyMs]
    const reply = await this.#beginning.run(this.#keysOf(digest), args)
    const [kind, known, ...response] = reply as Buffer[]
    const id = known!.toString() as InvocationId
    switch (kind!.toString()) {
      case 'first':
        this.#held.set(digest, owner)
        return { kind: 'first', ...(id === '' ? {} : { before: id }) }
      case 'running':
        return { kind: 'running', invocation: id }
      case 'done':
        return { kind: 'done', invocation: id, response: decodeResponse(response) }
      default:
        return { kind: 'mismatch', invocation: id }
    }
  }

  beginMany(
    items: readonly { readonly key: IdempotencyKey; readonly fingerprint: Digest; readonly invocation: InvocationId }[],
  ): Promise<readonly Begun[]> {
    return Promise.all(items.map(({ key, fingerprint, invocation }) => this.begin(key, fingerprint, invocation)))
  }

  async finish(key: IdempotencyKey, { status, headers, body }: StoredResponse): Promise<void> {
    const digest = digestOf(key)
    const { idempotencyMs } = this.#context.settings
    // First: when Redis does not answer, the lease must run out, or the key would be held as long as this process lives.
    this.#held.delete(digest)
    const channel = this.#context.keys.idempotencySettled(digest)
    const bytes = Buffer.from(body.buffer, body.byteOffset, body.length)
    await this.#finishing.run(this.#keysOf(digest), [channel, idempotencyMs, status, JSON.stringify(headers), bytes])
  }

  abandon(key: IdempotencyKey): Promise<boolean> {
    return this.#end(key, 'abandon')
  }

  async doubt(key: IdempotencyKey): Promise<void> {
    await this.#end(key, 'doubt')
  }

  async settled(
    key: IdempotencyKey,
    fingerprint: Digest,
    invocation: InvocationId,
    signal: AbortSignal,
  ): Promise<Begun> {
    let wake = Promise.withResolvers<void>()
    const more = (): void => wake.resolve()
    const channel = this.#context.keys.idempotencySettled(digestOf(key))
    using listening = new DisposableStack()
    listening.use(this.#context.subscriptions.subscribe(channel, { message: more, gap: more }))
    listening.use(this.#clock.every(POLL_MS, more))
    signal.addEventListener('abort', more, { once: true })
    listening.defer(() => signal.removeEventListener('abort', more))
    for (;;) {
      signal.throwIfAborted()
      // Before looking: a message that comes meanwhile must lead to another look.
      wake = Promise.withResolvers()
      const begun = await this.begin(key, fingerprint, invocation)
      if (begun.kind !== 'running') return begun
      await wake.promise
    }
  }

  /** Leases that are held run out by themselves. */
  [Symbol.dispose](): void {
    this.#timer[Symbol.dispose]()
    this.#held.clear()
  }

  /** Returns whether the lease was still ours. */
  async #end(key: IdempotencyKey, how: 'abandon' | 'doubt'): Promise<boolean> {
    const digest = digestOf(key)
    const owner = this.#held.get(digest)
    if (owner === undefined) return false
    this.#held.delete(digest)
    const channel = this.#context.keys.idempotencySettled(digest)
    return (await runScript(this.#redis, END, this.#keysOf(digest), [channel, owner, how])) === 1
  }

  #keysOf(digest: Digest): string[] {
    return [this.#context.keys.idempotencyKey(digest), this.#context.keys.idempotencyLease(digest)]
  }

  async #renew(): Promise<void> {
    const { leaseMs, idempotencyMs } = this.#context.settings
    // Redis may be away: tried again with the next tick.
    const renewed = [...this.#held].map(([digest, owner]) =>
      runScript(this.#redis, RENEW, this.#keysOf(digest), [owner, leaseMs, idempotencyMs]).catch(() => {}),
    )
    await Promise.all(renewed)
  }
}

function digestOf({ scope, key }: IdempotencyKey): Digest {
  return createHash('sha256')
    .update(JSON.stringify([scope, key]))
    .digest('hex') as Digest
}

function decodeResponse([status, headers, body]: readonly Buffer[]): StoredResponse {
  return {
    status: Number(status),
    headers: JSON.parse(String(headers)) as HeaderList,
    body: body ?? Buffer.alloc(0),
  }
}
