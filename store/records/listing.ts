// Lists records, newest first. Writes nothing, except that it takes ids out of an index that no longer belong there.
import type { Redis } from 'ioredis'

import { PlatformError } from '#core/errors'
import { type FunctionName, type InvocationId, parseInvocationId } from '#core/ids'
import type { InvocationRecord, RecordFilter, RecordPage, RecordState } from '#core/record'

import { guard } from '../connect.ts'
import { idFloor, type Keys } from '../keys.ts'
import { decodeRecord, isFinal, isIndexed, STATE_LETTERS } from './precedence.ts'
import { run } from '../pipeline.ts'

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
    const indexes = await this.#indexesFor(filter, states)
    const min = filter.since === undefined ? '-' : `[${idFloor(filter.since - ID_TOLERANCE_MS)}`
    let max = startOf(filter)
    const records: InvocationRecord[] = []
    for (let looked = 0; ;) {
      const count = Math.min(filter.limit - records.length, BATCH)
      const { ids, live } = await this.#ids(indexes, { max, min, count: count + 1 })
      const page = ids.slice(0, count)
      const loaded = await this.#load(indexes, page, states)
      await this.#settle(
        indexes,
        loaded.filter((record) => isFinal(record.state) && live.has(record.id)),
      )
      for (const record of loaded) if (matches(record, filter, states)) records.push(withoutInput(record))
      const last = page.at(-1)
      if (ids.length <= count || last === undefined) return { records }
      max = `(${last}`
      looked += page.length
      if (records.length >= filter.limit || looked >= MOST_LOOKED_AT) return { records, next: last }
    }
  }

  /** Those that have all that match together, and as little else as possible. */
  async #indexesFor(filter: RecordFilter, states: readonly RecordState[] | undefined): Promise<readonly Index[]> {
    const { function: name, trigger } = filter
    if (trigger !== undefined) return [{ key: this.#keys.recordsOfTrigger(trigger), state: undefined }]
    const names = name === undefined ? await this.#functions() : [name]
    const byState = (states ?? ['queued']).filter(isIndexed)
    const indexes: Index[] = byState.flatMap((state) =>
      names.map((each) => ({ key: this.#keys.records(each, state), state })),
    )
    // All but what is queued; and what has succeeded is only there.
    const isMixed = states === undefined || !states.every(isIndexed)
    return isMixed ? [{ key: this.#keys.records(name), state: undefined }, ...indexes] : indexes
  }

  /** All that may have records, those that are gone included. */
  async #functions(): Promise<readonly FunctionName[]> {
    const sets = [this.#keys.functions, this.#keys.recordedFunctions]
    const names = await guard(Promise.all(sets.map((set) => this.#redis.smembers(set))))
    return [...new Set(names.flat())] as FunctionName[]
  }

  /** The newest of all indexes together; `live`: those that are in an index of what is not final. */
  async #ids(indexes: readonly Index[], { max, min, count }: Range): Promise<Found> {
    const pipeline = this.#redis.pipeline()
    for (const { key } of indexes) pipeline.zrevrangebylex(key, max, min, 'LIMIT', 0, count)
    const found = (await run(pipeline)) as InvocationId[][]
    const live = new Set(found.filter((_, position) => isLive(indexes[position]!)).flat())
    const ids = found.length === 1 ? found[0]! : [...new Set(found.flat())].toSorted((a, b) => (a < b ? 1 : -1))
    return { ids: ids.slice(0, count), live }
  }

  /** On the way, ids are taken out of indexes whose record has expired. */
  async #load(
    indexes: readonly Index[],
    ids: readonly InvocationId[],
    states: readonly RecordState[] | undefined,
  ): Promise<InvocationRecord[]> {
    // Records may be large: where many are of another state, only those that are not are read.
    const isMixed = states !== undefined && indexes.some(({ state }) => state === undefined)
    const wanted = isMixed ? await this.#inState(ids, states) : ids
    const pipeline = this.#redis.pipeline()
    for (const id of wanted) pipeline.get(this.#keys.record(id))
    const stored = (await run(pipeline)) as (string | null)[]
    const expired = wanted.filter((_, position) => stored[position] === null)
    await this.#forget(indexes, expired)
    return stored.filter((value) => value !== null).map(decodeRecord)
  }

  /** Final ones that are among those that are not: to where they belong. A process died before it did so. */
  async #settle(indexes: readonly Index[], records: readonly InvocationRecord[]): Promise<void> {
    if (records.length === 0) return
    const pipeline = this.#redis.pipeline()
    for (const { id, function: name, state } of records) {
      pipeline.zadd(this.#keys.records(undefined), 0, id)
      pipeline.zadd(this.#keys.records(name), 0, id)
      if (isIndexed(state)) pipeline.zadd(this.#keys.records(name, state), 0, id)
    }
    await run(pipeline)
    const ids = records.map(({ id }) => id)
    await this.#forget(indexes.filter(isLive), ids)
  }

  /** Those that are in one of the states, or gone. */
  async #inState(ids: readonly InvocationId[], states: readonly RecordState[]): Promise<readonly InvocationId[]> {
    const letters = new Set(['', ...states.map((state) => STATE_LETTERS[state])])
    const pipeline = this.#redis.pipeline()
    for (const id of ids) pipeline.getrange(this.#keys.record(id), 0, 0)
    const first = (await run(pipeline)) as string[]
    return ids.filter((_, position) => letters.has(first[position] ?? ''))
  }

  async #forget(indexes: readonly Index[], ids: readonly InvocationId[]): Promise<void> {
    if (ids.length === 0) return
    const pipeline = this.#redis.pipeline()
    for (const { key } of indexes) pipeline.zrem(key, ...ids)
    await run(pipeline)
  }
}

interface Index {
  readonly key: string
  /** What is in it; undefined: records of any state. */
  readonly state: RecordState | undefined
}

function isLive({ state }: Index): boolean {
  return state !== undefined && !isFinal(state)
}

interface Found {
  /** Newest first. */
  readonly ids: readonly InvocationId[]
  readonly live: ReadonlySet<InvocationId>
}

interface Range {
  readonly max: string
  readonly min: string
  readonly count: number
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
