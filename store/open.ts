// Opens everything that survives a restart. The one place that wires the parts of the store together.
import type { BlobStore } from '#core/artifact'
import { type Clock, systemClock } from '#core/clock'
import type { DeadLetters } from '#core/dead-letter'
import type { JobQueues } from '#core/destination'
import type { FunctionStore } from '#core/function-store'
import type { HistoryStore } from '#core/history-store'
import type { IdempotencyStore } from '#core/idempotency'
import type { Lanes } from '#core/queue'
import type { RecordStore } from '#core/record'
import type { TriggerStore } from '#core/trigger'

import { RedisBlobStore } from './blobs.ts'
import { connect, describeRedisUrl, disconnect, guard } from './connect.ts'
import { RedisDeadLetters } from './dead-letters.ts'
import { RedisFunctionStore } from './functions.ts'
import { RedisHistoryStore } from './histories.ts'
import { RedisIdempotency } from './idempotency.ts'
import { RedisJobQueues } from './job-queues.ts'
import { keysWith } from './keys.ts'
import { RedisLanes } from './lanes.ts'
import { RedisRecordStore } from './records.ts'
import { STORE_DEFAULTS, type StoreSettings } from './settings.ts'
import { Subscriptions } from './subscriptions.ts'
import { RedisTriggers } from './triggers.ts'

export interface Store extends AsyncDisposable {
  readonly functions: FunctionStore
  readonly blobs: BlobStore
  readonly records: RecordStore & {
    /** Records and log lines lost because Redis did not answer for too long, since the start. */
    readonly dropped: number
  }
  readonly lanes: Lanes & Pick<RedisLanes, 'takeOverAll'>
  readonly deadLetters: DeadLetters & {
    /** Letters that this process dropped because a function had too many, since the start. */
    readonly dropped: number
  }
  readonly idempotency: IdempotencyStore
  readonly triggers: TriggerStore
  readonly queues: JobQueues
  readonly histories: HistoryStore
  /** Where it is, for the banner; without password. */
  readonly detail: string
  /** @throws PlatformError `store-unavailable` */
  ping(): Promise<void>
}

export interface StoreOptions {
  /** `redis://`, `rediss://` or `unix:///path` */
  readonly url: string
  /** What all keys begin with; several installations can share a Redis under different ones. */
  readonly prefix?: string
  /** Overrides of STORE_DEFAULTS. */
  readonly settings?: Partial<StoreSettings>
  readonly clock?: Clock
}

/**
 * Two connections, and a third one while lanes are listened to. Disposing stops listening, writes the records that
 * wait and closes; claims that are still held are taken over by others when their lease is over.
 * @throws PlatformError `store-unavailable`
 */
export async function openStore({ url, prefix = 'hearth', ...options }: StoreOptions): Promise<Store> {
  const settings: StoreSettings = { ...STORE_DEFAULTS, ...options.settings }
  const clock = options.clock ?? systemClock
  const keys = keysWith(prefix)
  await using opening = new AsyncDisposableStack()
  const redis = opening.adopt(await connect(url, 'shared', settings, clock), disconnect)
  const subscriber = opening.adopt(await connect(url, 'subscriber', settings, clock), disconnect)
  const subscriptions = new Subscriptions(subscriber)
  const blobs = new RedisBlobStore(redis, keys, settings)
  const functions = new RedisFunctionStore(redis, keys, blobs, subscriptions)
  const records = opening.adopt(new RedisRecordStore(redis, subscriptions, { keys, settings, clock }), (opened) =>
    opened.close(),
  )
  const openBlocking = () => connect(url, 'blocking', settings, clock)
  const lanes = opening.use(new RedisLanes(redis, { keys, settings, subscriptions, records, openBlocking, clock }))
  const idempotency = opening.use(new RedisIdempotency(redis, { keys, settings, subscriptions, clock }))
  const queues = opening.use(new RedisJobQueues(redis))
  const opened = opening.move()
  return {
    functions,
    blobs,
    records,
    lanes,
    deadLetters: new RedisDeadLetters(redis, { keys, settings, clock }),
    idempotency,
    triggers: new RedisTriggers(redis, keys, subscriptions),
    queues,
    histories: new RedisHistoryStore(redis, keys),
    detail: describeRedisUrl(url),
    async ping() {
      await guard(redis.ping())
    },
    [Symbol.asyncDispose]: () => opened.disposeAsync(),
  }
}
