// Follows records as any process writes them. A message only says which records changed; what is true is read.
import type { Redis } from 'ioredis'

import { type Clock, sleep } from '#core/clock'
import { PlatformError } from '#core/errors'
import type { InvocationId, TriggerName } from '#core/ids'
import type { InvocationRecord, RecordFilter, RecordState } from '#core/record'

import { guard } from '../connect.ts'
import type { Keys } from '../keys.ts'
import type { Subscriptions } from '../subscriptions.ts'
import { type Change, parseChanges } from './change.ts'
import { type Listing, matches, statesOf, withoutInput } from './listing.ts'
import { decodeRecord } from './precedence.ts'

/** Ids of one follower that wait to be read; with more, it looks through the newest records instead. */
const MOST_PENDING = 10_000
/** The newest records that are looked through when messages may have been lost. */
const LOOKED_THROUGH = 10_000
const PAGE = 100
/** Pause while Redis is away. */
const RETRY_MS = 250
/** What changed so long before the last message may not have been said by then: clocks differ, and messages take time. ms */
const OVERLAP_MS = 10_000

type FollowFilter = Pick<RecordFilter, 'function' | 'state' | 'trigger'>

interface ChangesContext {
  readonly redis: Redis
  readonly keys: Keys
  readonly clock: Clock
  readonly subscriptions: Subscriptions
  readonly listing: Listing
}

export class Changes {
  readonly #context: ChangesContext

  constructor(context: ChangesContext) {
    this.#context = context
  }

  onSettled(trigger: TriggerName, listener: (id: InvocationId | undefined) => void): Disposable {
    return this.#context.subscriptions.subscribe(this.#context.keys.settled(trigger), {
      message: (text) => {
        for (const id of text.split(' ')) listener(id as InvocationId)
      },
      gap: () => listener(undefined),
    })
  }

  /** From this call on. While Redis is away nothing comes. */
  follow(filter: FollowFilter, signal: AbortSignal): AsyncIterable<InvocationRecord> {
    return new Follower(filter, signal, this.#context)
  }
}

class Follower implements AsyncIterable<InvocationRecord> {
  readonly #filter: FollowFilter
  readonly #signal: AbortSignal
  readonly #context: ChangesContext
  readonly #states: readonly RecordState[] | undefined
  /** Changed, and not yet read; each once, however often it changed. */
  readonly #pending = new Set<InvocationId>()
  readonly #subscription: Disposable
  /** No change of one of them is older, ms since the epoch. */
  #pendingSince = 0
  /** When messages may have been lost: since when, ms since the epoch. */
  #gapSince: number | undefined
  /** No change before this time was missed, ms since the epoch. */
  #knownUntil: number
  #wake = Promise.withResolvers<void>()

  constructor(filter: FollowFilter, signal: AbortSignal, context: ChangesContext) {
    this.#filter = filter
    this.#signal = signal
    this.#context = context
    this.#states = statesOf(filter)
    this.#knownUntil = context.clock.now()
    this.#subscription = context.subscriptions.subscribe(context.keys.recordsChanged, {
      message: (text) => this.#hear(text),
      gap: () => this.#missed(),
    })
    const stop = (): void => {
      this.#subscription[Symbol.dispose]()
      this.#wake.resolve()
    }
    if (signal.aborted) stop()
    else signal.addEventListener('abort', stop, { once: true })
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<InvocationRecord> {
    try {
      while (!this.#signal.aborted) {
        this.#wake = Promise.withResolvers()
        if (this.#gapSince !== undefined) yield* this.#lookThrough(this.#gapSince)
        else if (this.#pending.size > 0) yield* this.#readPending()
        else await this.#wake.promise
      }
    } finally {
      this.#subscription[Symbol.dispose]()
    }
  }

  #hear(text: string): void {
    this.#knownUntil = this.#context.clock.now() - OVERLAP_MS
    if (this.#pending.size === 0) this.#pendingSince = this.#knownUntil
    for (const change of parseChanges(text)) if (this.#wants(change)) this.#pending.add(change.id)
    if (this.#pending.size > MOST_PENDING) this.#missed()
    if (this.#pending.size > 0) this.#wake.resolve()
  }

  /** What waited to be read is found again among the newest. */
  #missed(): void {
    this.#lookAgain(this.#pending.size > 0 ? this.#pendingSince : this.#knownUntil)
    this.#pending.clear()
    this.#wake.resolve()
  }

  #lookAgain(since: number): void {
    this.#gapSince = Math.min(since, this.#gapSince ?? since)
  }

  #wants(change: Change): boolean {
    const { function: name, trigger } = this.#filter
    return (
      (name === undefined || change.function === name) &&
      (trigger === undefined || change.trigger === trigger) &&
      (this.#states === undefined || this.#states.includes(change.state))
    )
  }

  async *#readPending(): AsyncGenerator<InvocationRecord> {
    const { redis, keys } = this.#context
    const since = this.#pendingSince
    const ids = [...this.#pending.values().take(PAGE)]
    // Before reading: one that changes meanwhile must be read again.
    for (const id of ids) this.#pending.delete(id)
    const stored = await this.#tried(() => guard(Promise.all(ids.map((id) => redis.get(keys.record(id))))))
    if (stored === undefined) {
      this.#lookAgain(since)
      return
    }
    for (const value of stored) {
      const record = value === null ? undefined : withoutInput(decodeRecord(value))
      if (record !== undefined && matches(record, this.#filter, this.#states)) yield record
    }
  }

  /** The newest records that changed since messages may have been lost. */
  async *#lookThrough(since: number): AsyncGenerator<InvocationRecord> {
    const { listing } = this.#context
    this.#gapSince = undefined
    let cursor: string | undefined
    for (let looked = 0; looked < LOOKED_THROUGH && !this.#signal.aborted; looked += PAGE) {
      const from = cursor === undefined ? {} : { cursor }
      const page = await this.#tried(() => listing.list({ ...this.#filter, limit: PAGE, ...from }))
      if (page === undefined) {
        this.#lookAgain(since)
        return
      }
      for (const record of page.records) if (changedAt(record) >= since) yield record
      cursor = page.next
      if (cursor === undefined) return
    }
  }

  /** Undefined when Redis was away, a moment later. */
  async #tried<T>(read: () => Promise<T>): Promise<T | undefined> {
    try {
      return await read()
    } catch (error) {
      if (!(error instanceof PlatformError) || error.code !== 'store-unavailable') throw error
      await sleep(RETRY_MS, this.#signal, this.#context.clock).catch(() => {})
      return undefined
    }
  }
}

function changedAt({ acceptedAt, finishedAt, attempts }: InvocationRecord): number {
  return Math.max(acceptedAt, finishedAt ?? 0, attempts.at(-1)?.startedAt ?? 0, attempts.at(-1)?.finishedAt ?? 0)
}
