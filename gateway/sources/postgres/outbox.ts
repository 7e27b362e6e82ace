// The statements on an outbox table. Which rows there are is asked each time, and no position is kept: an id that was given
// out early and committed late is found when it is there, and no gap is waited for.
import type { Client, CustomTypesConfig, QueryResult } from 'pg'

import type { Lag } from '../source.ts'
import type { OutboxRow } from './message.ts'
import type { PostgresOptions } from './options.ts'

/** Most that are counted. */
const MAX_COUNTED = 100_000
const RFC_3339 = 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'
/** Everything as the text that the server sends: JSON keeps its numbers, ids of any type can be sent back. */
const TEXT: CustomTypesConfig = { getTypeParser: () => (value: unknown) => value }

export interface OutboxRows {
  readonly rows: readonly OutboxRow[]
  /** The number of the type of the payload. */
  readonly payloadType: number
}

export interface Outbox {
  /** @throws Error when the table, a column or a permission is missing */
  check(): Promise<void>
  /** Locks rows until the end of the transaction, those that nobody else has locked, and returns them by id. */
  take(most: number, except: readonly string[]): Promise<OutboxRows>
  /** Locks rows that were taken in an earlier transaction. */
  lock(ids: readonly string[]): Promise<void>
  /** Deletes them, or marks them as processed. */
  remove(ids: readonly string[]): Promise<void>
}

export function outboxOf(client: Client, options: PostgresOptions): Outbox {
  const { from, where, id, set } = namesOf(options)
  const take = `SELECT ${columnsOf(options)} FROM ${from} WHERE ${where} AND NOT (${id} = ANY($1))
    ORDER BY ${id} LIMIT $2 FOR UPDATE SKIP LOCKED`
  const lock = `SELECT FROM ${from} WHERE ${id} = ANY($1) FOR UPDATE SKIP LOCKED`
  const remove = `${set === undefined ? `DELETE FROM ${from}` : `UPDATE ${from} SET ${set}`} WHERE ${id} = ANY($1)`
  return {
    async check() {
      await client.query(take, [[], 0])
      await client.query(remove, [[]])
    },
    async take(most, except) {
      const result: QueryResult<OutboxRow> = await client.query({ text: take, values: [except, most], types: TEXT })
      const payloadType = result.fields.find(({ name }) => name === 'payload')?.dataTypeID ?? 0
      return { rows: result.rows, payloadType }
    },
    async lock(ids) {
      if (ids.length > 0) await client.query(lock, [ids])
    },
    async remove(ids) {
      if (ids.length > 0) await client.query(remove, [ids])
    },
  }
}

/** How many rows wait, and for how long the first one does where the table says so. */
export async function lagOf(client: Client, options: PostgresOptions): Promise<Lag> {
  const { from, where, id } = namesOf(options)
  const age = options.timeColumn === '' ? 'NULL' : `extract(epoch FROM now() - ${column(options.timeColumn)}) * 1000`
  const text = `SELECT (SELECT count(*) FROM (SELECT FROM ${from} WHERE ${where} LIMIT ${MAX_COUNTED}) counted) AS events,
    (SELECT ${age} FROM ${from} WHERE ${where} ORDER BY ${id} LIMIT 1) AS ms`
  const result = await client.query<{ events: string; ms: string | null }>({ text, types: TEXT })
  const [row] = result.rows
  const events = Number(row?.events ?? 0)
  const ms = row?.ms ?? null
  if (ms === null) return options.timeColumn !== '' && events === 0 ? { events, ms: 0 } : { events }
  return { events, ms: Math.max(0, Math.round(Number(ms))) }
}

function namesOf({ table, idColumn, processedColumn }: PostgresOptions): {
  readonly from: string
  readonly where: string
  readonly id: string
  /** Undefined: rows are deleted. */
  readonly set: string | undefined
} {
  return {
    from: `${table.split('.').map(quote).join('.')} AS o`,
    where: processedColumn === '' ? 'true' : `${column(processedColumn)} IS NULL`,
    id: column(idColumn),
    set: processedColumn === '' ? undefined : `${quote(processedColumn)} = now()`,
  }
}

function columnsOf({ idColumn, payloadColumn, typeColumn, timeColumn }: PostgresOptions): string {
  const type = typeColumn === '' ? 'NULL' : column(typeColumn)
  const time = timeColumn === '' ? 'NULL' : `to_char(${column(timeColumn)}::timestamptz, '${RFC_3339}')`
  return `${column(idColumn)} AS id, o.tableoid || '/' || o.xmin AS version, ${column(payloadColumn)} AS payload,
    ${type}::text AS type, ${time}::text AS time`
}

function column(name: string): string {
  return `o.${quote(name)}`
}

export function quote(identifier: string): string {
  return `"${identifier.replaceAll('"', '""')}"`
}
