// The durable account of invocations and their logs. Decides nothing about them.
import type { Redis } from 'ioredis'

import { type Clock, systemClock } from '#core/clock'
import type { FunctionName, InvocationId, TriggerName } from '#core/ids'
import type { InvocationRecord, RecordFilter, RecordPage, RecordStore, StoredLogLine } from '#core/record'

import { guard } from './connect.ts'
import type { Keys } from './keys.ts'
import { RecordBuffer } from './records/buffer.ts'
import { Changes } from './records/changes.ts'
import { Listing } from './records/listing.ts'
import { LogTail, newestLines, tailPosition } from './records/log-tail.ts'
import { decodeRecord } from './records/precedence.ts'
import { Retention } from './records/retention.ts'
import { type RecordPart, RecordWriter } from './records/writer.ts'
import type { StoreSettings } from './settings.ts'
import type { Subscriptions } from './subscriptions.ts'
import { atEndOfTurn } from './turn.ts'

/** Records and log lines written together. */
const BATCH = 256
/** Pause after a failed write, ms. */
const RETRY_MS = 250

interface Save {
  readonly record: InvocationRecord
  readonly resolve: () => void
  readonly reject: (error: unknown) => void
}

/**
 * Writes wait in a bounded buffer for at most `flushMs` and go out in batches; while Redis does not answer they stay
 * there. Reads see everything that this process wrote before.
 */
export class RedisRecordStore implements RecordStore {
  readonly #redis: Redis
  readonly #keys: Keys
  readonly #settings: StoreSettings
  readonly #clock: Clock
  readonly #buffer: RecordBuffer
  readonly #writer: RecordWriter
  readonly #retention: Retention
  readonly #tail: LogTail
  readonly #listing: Listing
  readonly #changes: Changes
  /** To be written at the end of this turn of the event loop. */
  #saves: Save[] = []
  #timer: Disposable | undefined
  #writing: Promise<void> | undefined
  /** Written since the start. */
  #batches = 0
  #failing = false
  #isDraining = false
  #closed = false

  constructor(
    redis: Redis,
    subscriptions: Subscriptions,
    { keys, settings, clock = systemClock }: { keys: Keys; settings: StoreSettings; clock?: Clock },
  ) {
    this.#redis = redis
    this.#keys = keys
    this.#settings = settings
    this.#clock = clock
    this.#buffer = new RecordBuffer(settings.bufferedRecords)
    this.#writer = new RecordWriter(redis, keys, settings)
    this.#retention = new Retention(redis, keys, settings)
    this.#tail = new LogTail(redis, keys, subscriptions)
    this.#listing = new Listing(redis, keys)
    this.#changes = new Changes({ redis, keys, clock, subscriptions, listing: this.#listing })
  }

  /** Records and log lines lost because Redis did not answer for too long, since the start. */
  get dropped(): number {
    return this.#buffer.dropped
  }

  write(record: InvocationRecord): void {
    this.#buffer.add(record)
    this.#schedule()
  }

  writeLogs(lines: readonly StoredLogLine[]): void {
    this.#buffer.addLines(lines)
    this.#schedule()
  }

  /** Saves of one turn of the event loop go out together; they wait for no other batch. */
  save(record: InvocationRecord): Promise<void> {
    this.#buffer.supersede(record)
    const { promise, resolve, reject } = Promise.withResolvers<void>()
    if (this.#saves.push({ record, resolve, reject }) === 1) atEndOfTurn(() => void this.#saveAll())
    return promise
  }

  /** What a script of another part of the store needs that saves records along with something else (SAVE_RECORDS). */
  get common(): RecordWriter['common'] {
    return this.#writer.common
  }

  /** Of a record that such a script is about to save. */
  partOf(record: InvocationRecord): RecordPart {
    this.#buffer.supersede(record)
    return this.#writer.partOf(record)
  }

  /** Such a script has saved them. */
  saved(records: readonly InvocationRecord[]): void {
    // The next write looks again.
    this.#retention.prune(records, this.#clock.now()).catch(() => {})
  }

  async flush(): Promise<void> {
    // Counted, not "until it is empty": under load it may never be.
    const target = this.#batches + this.#buffer.batches(BATCH) + (this.#writing === undefined ? 0 : 1)
    while (this.#batches < target && (this.#writing !== undefined || this.#buffer.size > 0)) await this.#writeBatch()
  }

  async get(id: InvocationId): Promise<InvocationRecord | undefined> {
    await this.flush()
    const stored = await guard(this.#redis.get(this.#keys.record(id)))
    return stored === null ? undefined : decodeRecord(stored)
  }

  async list(filter: RecordFilter): Promise<RecordPage> {
    await this.flush()
    return this.#listing.list(filter)
  }

  /** "From now on" is from this call, not from the first `next()`. */
  follow(
    filter: Pick<RecordFilter, 'function' | 'state' | 'trigger'>,
    signal: AbortSignal,
  ): AsyncIterable<InvocationRecord> {
    return this.#changes.follow(filter, signal)
  }

  onSettled(trigger: TriggerName, listener: (id: InvocationId | undefined) => void): Disposable {
    return this.#changes.onSettled(trigger, listener)
  }

  async logsOf(id: InvocationId): Promise<readonly StoredLogLine[]> {
    await this.flush()
    const stored = await guard(this.#redis.lrange(this.#keys.log(id), 0, -1))
    return stored.map((line) => JSON.parse(line) as StoredLogLine)
  }

  async logsOfFunction(name: FunctionName, limit: number): Promise<readonly StoredLogLine[]> {
    await this.flush()
    return newestLines(this.#redis, this.#keys.logs(name), limit)
  }

  /**
   * "From now on" is from this call, not from the first `next()`. Called in one go, first `followLogs`, then
   * `logsOfFunction`: no line is missing between the two; one that another process writes at that very moment may
   * be in both.
   */
  followLogs(name: FunctionName, signal: AbortSignal): AsyncIterable<StoredLogLine> {
    const from = this.flush().then(() => tailPosition(this.#redis, this.#keys.logs(name)))
    // It is awaited with the first `next()`, which may come much later, or never.
    from.catch(() => {})
    return this.#tail.follow(name, from, signal)
  }

  /** Writes what waits. @throws PlatformError `store-unavailable`; what waited is then lost */
  async close(): Promise<void> {
    try {
      await this.flush()
    } finally {
      this.#timer?.[Symbol.dispose]()
      this.#closed = true
    }
  }

  async #saveAll(): Promise<void> {
    const saves = this.#saves
    this.#saves = []
    const records = saves.map(({ record }) => record)
    try {
      await this.#writer.write({ records, lines: [] })
      for (const { resolve } of saves) resolve()
    } catch (error) {
      for (const { record, reject } of saves) {
        this.write(record)
        reject(error)
      }
      return
    }
    this.saved(records)
  }

  #schedule(): void {
    if (this.#buffer.size >= BATCH && !this.#failing) void this.#drain()
    else this.#wait(this.#settings.flushMs)
  }

  #wait(ms: number): void {
    if (this.#closed) return
    this.#timer ??= this.#clock.after(ms, () => {
      this.#timer = undefined
      void this.#drain()
    })
  }

  async #drain(): Promise<void> {
    if (this.#isDraining) return
    this.#isDraining = true
    try {
      while (this.#buffer.size > 0) await this.#writeBatch()
    } catch {
      // The batch is back in the buffer; flush() and the reads report the failure to those who wait for it.
      this.#wait(RETRY_MS)
    } finally {
      this.#isDraining = false
    }
  }

  /** Writes one batch, or joins the write that is under way. */
  #writeBatch(): Promise<void> {
    this.#writing ??= this.#writeNext().finally(() => (this.#writing = undefined))
    return this.#writing
  }

  async #writeNext(): Promise<void> {
    const batch = this.#buffer.take(BATCH)
    try {
      await this.#writer.write(batch)
      this.#failing = false
      this.#batches++
    } catch (error) {
      this.#buffer.restore(batch)
      this.#failing = true
      throw error
    }
    await this.#retention.prune(batch.records, this.#clock.now())
  }
}
