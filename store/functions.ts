// Functions and their versions. Runs and builds nothing.
import { randomUUID } from 'node:crypto'

import type { Redis } from 'ioredis'

import type { FunctionRecord, FunctionVersion } from '#core/function'
import type { FunctionPage, FunctionStore, NewVersion } from '#core/function-store'
import type { Digest, FunctionName, VersionNumber } from '#core/ids'
import { parseSpec } from '#core/spec'

import type { RedisBlobStore } from './blobs.ts'
import { guard } from './connect.ts'
import type { Keys } from './keys.ts'
import { runScript, type Script, script } from './script.ts'
import type { Subscriptions } from './subscriptions.ts'

/** A version in Redis: its number is the field, and `owner` is what retains its blobs. */
type StoredVersion = Omit<FunctionVersion, 'number'> & { readonly owner: string }

/** For fields that a version was stored without, because they came later. */
const SPEC_DEFAULTS = parseSpec({}, 'js')

/** Returns {1 when made, number, JSON of the live version}. */
const DEPLOY = script(`
  local live = redis.call('HGET', KEYS[1], 'live')
  if live and redis.call('HGET', KEYS[1], 'digest') == ARGV[1] then
    return {0, live, redis.call('HGET', KEYS[2], live)}
  end
  local number = redis.call('HINCRBY', KEYS[1], 'seq', 1)
  redis.call('HSETNX', KEYS[1], 'createdAt', ARGV[2])
  redis.call('HSET', KEYS[1], 'live', number, 'digest', ARGV[1], 'updatedAt', ARGV[2])
  redis.call('HSET', KEYS[2], number, ARGV[3])
  return {1, tostring(number), ARGV[3]}`)
/**
 * Returns the JSON of all versions. Keeps the sequence: a function deployed again under the name must not reuse
 * numbers, for what still runs or waits of the old one names its version by number.
 */
const REMOVE = script(`
  local versions = redis.call('HVALS', KEYS[2])
  redis.call('HDEL', KEYS[1], 'live', 'digest', 'createdAt', 'updatedAt', 'calls')
  redis.call('DEL', KEYS[2])
  return versions`)

/**
 * Blobs are retained before a version that needs them exists and released after it is gone: a crash in between can
 * leave a blob too many, never one too few.
 */
export class RedisFunctionStore implements FunctionStore {
  readonly #redis: Redis
  readonly #keys: Keys
  readonly #blobs: RedisBlobStore
  readonly #subscriptions: Subscriptions

  constructor(redis: Redis, keys: Keys, blobs: RedisBlobStore, subscriptions: Subscriptions) {
    this.#redis = redis
    this.#keys = keys
    this.#blobs = blobs
    this.#subscriptions = subscriptions
  }

  async get(name: FunctionName): Promise<FunctionRecord | undefined> {
    const fields = await guard(this.#redis.hmget(this.#keys.function(name), 'live', 'createdAt', 'updatedAt'))
    return toRecord(name, fields)
  }

  async list(page?: FunctionPage): Promise<readonly FunctionRecord[]> {
    const names = ((await guard(this.#redis.smembers(this.#keys.functions))) as FunctionName[]).toSorted()
    const wanted = page === undefined ? names : names.filter((name) => name > page.after).slice(0, page.limit)
    const found = await Promise.all(wanted.map((name) => this.get(name)))
    return found.filter((record) => record !== undefined)
  }

  async version(name: FunctionName, number: VersionNumber): Promise<FunctionVersion | undefined> {
    const stored = await guard(this.#redis.hget(this.#keys.versions(name), String(number)))
    return stored === null ? undefined : toVersion(number, stored)
  }

  async versions(name: FunctionName): Promise<readonly FunctionVersion[]> {
    const stored = await guard(this.#redis.hgetall(this.#keys.versions(name)))
    return Object.entries(stored)
      .map(([number, json]) => toVersion(Number(number) as VersionNumber, json))
      .toSorted((a, b) => b.number - a.number)
  }

  async deploy(draft: NewVersion, now: number): Promise<{ version: FunctionVersion; created: boolean }> {
    const name = draft.function
    const owner = randomUUID()
    const digests = digestsOf(draft)
    const stored: StoredVersion = { ...draft, createdAt: now, owner }
    await this.#blobs.retain(digests, owner)
    const [made, number, json] = (await this.#run(DEPLOY, name, [draft.digest, now, JSON.stringify(stored)])) as [
      number,
      string,
      string,
    ]
    if (made === 0) await this.#blobs.release(digests, owner)
    // After the script, not before: a removal under way could take the name out again in between.
    await guard(this.#redis.sadd(this.#keys.functions, name))
    if (made === 1) await this.#announce(name)
    return { version: toVersion(Number(number) as VersionNumber, json), created: made === 1 }
  }

  async remove(name: FunctionName): Promise<boolean> {
    // First the name, then the function: with a deploy in between, the deploy adds the name again.
    await guard(this.#redis.srem(this.#keys.functions, name))
    const stored = (await this.#run(REMOVE, name, [])) as string[]
    for (const json of stored) {
      const version = JSON.parse(json) as StoredVersion
      await this.#blobs.release(digestsOf(version), version.owner)
    }
    if (stored.length > 0) await this.#announce(name)
    return stored.length > 0
  }

  onChange(listener: (name: FunctionName | undefined) => void): Disposable {
    return this.#subscriptions.subscribe(this.#keys.functionsChanged, {
      message: (name) => listener(name as FunctionName),
      gap: () => listener(undefined),
    })
  }

  #run(what: Script, name: FunctionName, args: readonly (string | number)[]): Promise<unknown> {
    return runScript(this.#redis, what, [this.#keys.function(name), this.#keys.versions(name)], args)
  }

  async #announce(name: FunctionName): Promise<void> {
    await guard(this.#redis.publish(this.#keys.functionsChanged, name))
  }
}

function digestsOf(version: Pick<FunctionVersion, 'source' | 'artifact'>): Digest[] {
  return [...version.source, ...version.artifact].map((file) => file.digest)
}

function toRecord(name: FunctionName, fields: readonly (string | null)[]): FunctionRecord | undefined {
  const [live, createdAt, updatedAt] = fields
  if (!live) return undefined
  return { name, live: Number(live) as VersionNumber, createdAt: Number(createdAt), updatedAt: Number(updatedAt) }
}

function toVersion(number: VersionNumber, json: string): FunctionVersion {
  const { owner: _, ...version } = JSON.parse(json) as StoredVersion
  return { ...version, spec: { ...SPEC_DEFAULTS, ...version.spec }, number }
}
