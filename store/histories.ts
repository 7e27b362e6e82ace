// How functions were called, for the keep-alive that learns. Knows nothing of what the texts say.
import type { Redis } from 'ioredis'

import type { HistoryStore } from '#core/history-store'
import type { FunctionName } from '#core/ids'

import { guard } from './connect.ts'
import type { Keys } from './keys.ts'
import { run } from './pipeline.ts'
import { runScript, script } from './script.ts'

/** A field of the function, so that it goes with it; a late one must not come after. */
const SAVE = script(`
  if redis.call('HEXISTS', KEYS[1], 'live') == 1 then redis.call('HSET', KEYS[1], 'calls', ARGV[1]) end
  return 0`)
/** Commands in one go: Redis serves others in between. */
const BATCH = 500

export class RedisHistoryStore implements HistoryStore {
  readonly #redis: Redis
  readonly #keys: Keys

  constructor(redis: Redis, keys: Keys) {
    this.#redis = redis
    this.#keys = keys
  }

  async load(): Promise<ReadonlyMap<FunctionName, string>> {
    const names = (await guard(this.#redis.smembers(this.#keys.functions))) as FunctionName[]
    const histories = new Map<FunctionName, string>()
    for (const batch of batches(names)) {
      const pipeline = this.#redis.pipeline()
      for (const name of batch) pipeline.hget(this.#keys.function(name), 'calls')
      const texts = (await run(pipeline)) as (string | null)[]
      for (const [index, name] of batch.entries()) {
        const text = texts[index]
        if (typeof text === 'string') histories.set(name, text)
      }
    }
    return histories
  }

  async save(histories: ReadonlyMap<FunctionName, string>): Promise<void> {
    for (const batch of batches([...histories])) {
      await Promise.all(batch.map(([name, text]) => runScript(this.#redis, SAVE, [this.#keys.function(name)], [text])))
    }
  }
}

function* batches<T>(all: readonly T[]): Iterable<readonly T[]> {
  for (let at = 0; at < all.length; at += BATCH) yield all.slice(at, at + BATCH)
}
