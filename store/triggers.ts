// Triggers with their status and what their sources must remember. Listens to no source.
import type { Redis } from 'ioredis'

import type { TriggerName } from '#core/ids'
import type { Trigger, TriggerCounter, TriggerReport, TriggerSpec, TriggerStatus, TriggerStore } from '#core/trigger'

import { guard } from './connect.ts'
import type { Keys } from './keys.ts'
import { run } from './pipeline.ts'
import { runScript, script } from './script.ts'
import type { Subscriptions } from './subscriptions.ts'

/**
 * A trigger is a field of one hash: "revision createdAt updatedAt spec-as-JSON", so that Lua need not parse the spec.
 * Returns {1 when it was made, 1 when it changed, what is there then}.
 */
const PUT = script(`
  local name, spec, now = unpack(ARGV)
  local stored = redis.call('HGET', KEYS[1], name)
  local revision, createdAt, updatedAt, current = string.match(stored or '', '^(%d+) (%d+) (%d+) (.*)$')
  if current == spec then return {0, 0, stored} end
  local value = string.format('%d %s %s ', (revision or 0) + 1, createdAt or now, now) .. spec
  redis.call('HSET', KEYS[1], name, value)
  return {stored and 0 or 1, 1, value}`)
const LEAD = script(`
  local leader = redis.call('GET', KEYS[1])
  if leader and leader ~= ARGV[1] then return 0 end
  redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
  return 1`)
const UNLEAD = script(`
  if redis.call('GET', KEYS[1]) == ARGV[1] then redis.call('DEL', KEYS[1]) end
  return 0`)

const COUNTERS = ['received', 'matched', 'invocations', 'redelivered', 'failed'] as const satisfies TriggerCounter[]

export class RedisTriggers implements TriggerStore {
  readonly #redis: Redis
  readonly #keys: Keys
  readonly #subscriptions: Subscriptions

  constructor(redis: Redis, keys: Keys, subscriptions: Subscriptions) {
    this.#redis = redis
    this.#keys = keys
    this.#subscriptions = subscriptions
  }

  async get(name: TriggerName): Promise<Trigger | undefined> {
    const stored = await guard(this.#redis.hget(this.#keys.triggers, name))
    return stored === null ? undefined : decode(name, stored)
  }

  async list(): Promise<readonly Trigger[]> {
    const stored = Object.entries(await guard(this.#redis.hgetall(this.#keys.triggers)))
    return stored
      .map(([name, value]) => decode(name as TriggerName, value))
      .toSorted((a, b) => (a.name < b.name ? -1 : 1))
  }

  async put(name: TriggerName, spec: TriggerSpec, now: number): Promise<{ trigger: Trigger; created: boolean }> {
    // What a removal that was cut off left of one of this name must not become that of the new one.
    if ((await this.get(name)) === undefined) await this.#forget(name)
    const args = [name, JSON.stringify(spec), now]
    const reply = await runScript(this.#redis, PUT, [this.#keys.triggers], args)
    const [created, changed, value] = reply as [number, number, string]
    if (changed === 1) await this.#announce(name)
    return { trigger: decode(name, value), created: created === 1 }
  }

  async remove(name: TriggerName): Promise<boolean> {
    const removed = (await guard(this.#redis.hdel(this.#keys.triggers, name))) === 1
    if (!removed) return false
    await this.#announce(name)
    await this.#forget(name)
    return true
  }

  onChange(listener: (name: TriggerName | undefined) => void): Disposable {
    return this.#subscriptions.subscribe(this.#keys.triggersChanged, {
      message: (name) => listener(name as TriggerName),
      gap: () => listener(undefined),
    })
  }

  async status(name: TriggerName): Promise<TriggerStatus | undefined> {
    const fields = await guard(this.#redis.hgetall(this.#keys.triggerStatus(name)))
    if (fields.state === undefined) return undefined
    const values = Object.entries(fields).map(([field, value]) => [field, JSON.parse(value)])
    const zeros = Object.fromEntries([...COUNTERS, 'underWay', 'at'].map((field) => [field, 0]))
    return { ...zeros, ...Object.fromEntries(values) } as TriggerStatus
  }

  /** A report with a state and without a reason takes the reason away. */
  async report(name: TriggerName, { add = {}, ...rest }: TriggerReport): Promise<void> {
    const key = this.#keys.triggerStatus(name)
    const pipeline = this.#redis.pipeline()
    const values = Object.entries(rest).flatMap(([field, value]) => [field, JSON.stringify(value)])
    if (values.length > 0) pipeline.hset(key, ...values)
    if (rest.state !== undefined && rest.reason === undefined) pipeline.hdel(key, 'reason')
    for (const [field, count] of Object.entries(add)) if (count !== 0) pipeline.hincrby(key, field, count)
    await run(pipeline)
  }

  async state(name: TriggerName): Promise<string | undefined> {
    return (await guard(this.#redis.get(this.#keys.triggerState(name)))) ?? undefined
  }

  async setState(name: TriggerName, state: string): Promise<void> {
    await guard(this.#redis.set(this.#keys.triggerState(name), state))
  }

  async lead(name: TriggerName, owner: string, ttlMs: number): Promise<boolean> {
    return (await runScript(this.#redis, LEAD, [this.#keys.triggerLeader(name)], [owner, ttlMs])) === 1
  }

  async unlead(name: TriggerName, owner: string): Promise<void> {
    await runScript(this.#redis, UNLEAD, [this.#keys.triggerLeader(name)], [owner])
  }

  async #announce(name: TriggerName): Promise<void> {
    await guard(this.#redis.publish(this.#keys.triggersChanged, name))
  }

  /** Not who leads it: that is about a process, and runs out. */
  async #forget(name: TriggerName): Promise<void> {
    await guard(this.#redis.unlink(this.#keys.triggerStatus(name), this.#keys.triggerState(name)))
  }
}

function decode(name: TriggerName, stored: string): Trigger {
  const [, revision, createdAt, updatedAt, spec] = /^(\d+) (\d+) (\d+) (.*)$/s.exec(stored) ?? []
  const parsed = JSON.parse(spec ?? 'null') as TriggerSpec
  return {
    name,
    spec: { ...parsed, filter: parsed.filter },
    revision: Number(revision),
    createdAt: Number(createdAt),
    updatedAt: Number(updatedAt),
  }
}
