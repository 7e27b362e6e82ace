// Lists records, newest first. Writes nothing, except that it takes ids out of an index that no longer belong there.
import type { Redis } from 'ioredis'

import { PlatformError } from '#core/errors'
import { type InvocationId, parseInvocationId } from '#core/ids'
import type { InvocationRecord, RecordFilter, RecordPage, RecordState } from '#core/record'

import { guard } from '../connect.ts'
import { idFloor, type Keys } from '../keys.ts'
import { decodeRecord, isFinal } from './precedence.ts'

/** Records looked at for one page; where few match, a page is shorter than asked for, or empty, and names the next one. */
const MOST_LOOKED_AT = 5_000
const BATCH = 200
/** Ids have the time when they were made, a moment before or after the invocation was accepted, ms. */
const ID_TOLERANCE_MS = 5_000

export class Listing {
  readonly #redis: Redis
  readonly #keys: Keys

  constructor(redis: Redis, keys: Keys) {
    this.#redis = redis
    this.#keys = keys
  }

  /** @throws PlatformError `invalid-request` for a cursor that is none, `store-unavailable` */
  async list(filter: RecordFilter): Promise<RecordPage> {
    const states = statesOf(filter)
    const { key, state } = this.#indexFor(filter, states)
    const min = filter.since === undefined ? '-' : `[${idFloor(filter.since - ID_TOLERANCE_MS)}`
    let max = startOf(filter)
    const records: InvocationRecord[] = []
    for (let looked = 0; ;) {
      const wanted = filter.limit - records.length
      const count = Math.max(Math.min(wanted, BATCH), 1)
      const ids = await this.#ids(key, max, min, count + 1)
      const page = ids.slice(0, count)
      for (const record of await this.#load(key, page, state)) if (matches(record, filter, states)) records.push(record)
      const last = page.at(-1)
      if (ids.length <= count || last === undefined) return { records }
      max = `(${last}`
      looked += page.length
      if (records.length >= filter.limit || looked >= MOST_LOOKED_AT) return { records, next: last }
    }
  }

  /** The smallest index that has them all. */
  #indexFor({ function: name, trigger }: RecordFilter, states: readonly RecordState[] | undefined) {
    if (trigger !== undefined) return { key: this.#keys.recordsOfTrigger(trigger), state: undefined }
    const state = states?.length === 1 ? states[0] : undefined
    return { key: this.#keys.records(name, state), state }
  }

  async #ids(key: string, max: string, min: string, count: number): Promise<InvocationId[]> {
    return (await guard(this.#redis.zrevrangebylex(key, max, min, 'LIMIT', 0, count))) as InvocationId[]
  }

  /**
   * On the way, ids are taken out of the index whose record has expired, or is final in an index of what is not: a
   * process that wrote the record before may have been late to write the index.
   */
  async #load(index: string, ids: readonly InvocationId[], state?: RecordState): Promise<InvocationRecord[]> {
    const stored = await Promise.all(ids.map((id) => guard(this.#redis.get(this.#keys.record(id)))))
    const records = stored.map((value) => (value === null ? undefined : decodeRecord(value)))
    const isStale = (record: InvocationRecord | undefined): boolean =>
      record === undefined || (state !== undefined && !isFinal(state) && isFinal(record.state))
    const stale = ids.filter((_, position) => isStale(records[position]))
    if (stale.length > 0) await guard(this.#redis.zrem(index, ...stale))
    return records.filter((record) => record !== undefined).map(withoutInput)
  }
}

/** Whether a record is one of those that are asked for. */
export function matches(
  record: InvocationRecord,
  filter: Pick<RecordFilter, 'function' | 'trigger' | 'since' | 'before'>,
  states: readonly RecordState[] | undefined,
): boolean {
  return (
    (states === undefined || states.includes(record.state)) &&
    (filter.function === undefined || record.function === filter.function) &&
    (filter.trigger === undefined || record.cause?.trigger === filter.trigger) &&
    (filter.since === undefined || record.acceptedAt >= filter.since) &&
    (filter.before === undefined || record.acceptedAt < filter.before)
  )
}

/** Undefined: any. */
export function statesOf({ state }: Pick<RecordFilter, 'state'>): readonly RecordState[] | undefined {
  if (state === undefined) return undefined
  return typeof state === 'string' ? [state] : state
}

/** As lists show it. */
export function withoutInput(record: InvocationRecord): InvocationRecord {
  if (record.input === undefined) return record
  const { input: _, ...shown } = record
  return shown
}

function startOf({ cursor, before }: RecordFilter): string {
  const bounds = [
    ...(cursor === undefined ? [] : [parseCursor(cursor)]),
    ...(before === undefined ? [] : [idFloor(before + ID_TOLERANCE_MS)]),
  ].toSorted()
  return bounds[0] === undefined ? '+' : `(${bounds[0]}`
}

function parseCursor(cursor: string): InvocationId {
  try {
    return parseInvocationId(cursor)
  } catch {
    throw new PlatformError('invalid-request', {
      detail: `a cursor is the "next" of the page before: received ${JSON.stringify(cursor.slice(0, 80))}`,
    })
  }
}
