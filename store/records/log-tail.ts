// Follows the log lines of a function as any process writes them. Reads by position, so no message can be missed.
import type { Redis } from 'ioredis'

import type { FunctionName } from '#core/ids'
import type { StoredLogLine } from '#core/record'

import { guard } from '../connect.ts'
import type { Keys } from '../keys.ts'
import type { Subscriptions } from '../subscriptions.ts'

const PAGE = 500

/** The newest `count` entries, oldest first. */
export async function newestLines(redis: Redis, key: string, count: number): Promise<StoredLogLine[]> {
  const entries = await guard(redis.xrevrange(key, '+', '-', 'COUNT', count))
  return entries.map(([, fields]) => parseLine(fields)).toReversed()
}

/** The position after the last line that is there now. */
export async function tailPosition(redis: Redis, key: string): Promise<string> {
  const [last] = await guard(redis.xrevrange(key, '+', '-', 'COUNT', 1))
  return last?.[0] ?? '0-0'
}

/** A message only says that there is more; the lines come from the stream, after the last position that was read. */
export class LogTail {
  readonly #redis: Redis
  readonly #keys: Keys
  readonly #subscriptions: Subscriptions

  constructor(redis: Redis, keys: Keys, subscriptions: Subscriptions) {
    this.#redis = redis
    this.#keys = keys
    this.#subscriptions = subscriptions
  }

  /** @throws PlatformError `store-unavailable` */
  async *follow(name: FunctionName, from: Promise<string>, signal: AbortSignal): AsyncGenerator<StoredLogLine> {
    let wake = Promise.withResolvers<void>()
    const more = (): void => wake.resolve()
    using subscriptions = new DisposableStack()
    subscriptions.use(this.#subscriptions.subscribe(this.#keys.moreLogs(name), { message: more, gap: more }))
    signal.addEventListener('abort', more, { once: true })
    try {
      let position = await from
      while (!signal.aborted) {
        // Before reading: a message that comes while we read must lead to another read.
        wake = Promise.withResolvers()
        const entries = await this.#read(name, position)
        for (const [id, fields] of entries) {
          position = id
          yield parseLine(fields)
        }
        if (entries.length < PAGE && !signal.aborted) await wake.promise
      }
    } finally {
      signal.removeEventListener('abort', more)
    }
  }

  async #read(name: FunctionName, position: string): Promise<[id: string, fields: string[]][]> {
    const streams = await guard(this.#redis.xread('COUNT', PAGE, 'STREAMS', this.#keys.logs(name), position))
    return streams?.[0]?.[1] ?? []
  }
}

function parseLine(fields: readonly string[]): StoredLogLine {
  return JSON.parse(fields[1] ?? 'null') as StoredLogLine
}
