// A row of an outbox table, or a notification, as an event.
import { randomUUID } from 'node:crypto'

import type { CloudEvent } from '#core/event'

import { eventOfMessage, messageType } from '../../cloud-events/message.ts'
import { structuredTypeOf } from '../structured.ts'

/** Numbers of types of columns. */
const BYTEA = 17
const JSON_TYPES: readonly number[] = [114, 3802]
const HAS_CONTROL = /\p{Cc}/u

/** All as the text that the server sends. */
export interface OutboxRow {
  readonly id: string
  /** Changes when the row does. */
  readonly version: string
  readonly payload: string | null
  readonly type: string | null
  /** RFC 3339 */
  readonly time: string | null
}

/** @param payloadType the number of the type of its column */
export function eventOf(row: OutboxRow, table: string, payloadType: number): CloudEvent {
  const data = dataOf(row.payload, payloadType)
  const isJson = row.payload !== null && JSON_TYPES.includes(payloadType)
  const type = row.type === null || row.type === '' || HAS_CONTROL.test(row.type) ? messageType('postgres') : row.type
  return eventOfMessage(
    { data, contentType: structuredTypeOf(data) ?? (isJson ? 'application/json' : undefined) },
    { id: row.id, source: sourceOf(table), type, ...(row.time === null ? {} : { time: row.time }) },
  )
}

/** It has no id of its own, and comes once or never. */
export function eventOfNotification(payload: string, channel: string, now: number): CloudEvent {
  const data = Buffer.from(payload)
  return eventOfMessage(
    { data, contentType: structuredTypeOf(data) },
    {
      id: randomUUID(),
      source: sourceOf(channel),
      type: messageType('postgres'),
      time: new Date(now).toISOString(),
    },
  )
}

function sourceOf(name: string): string {
  return `/postgres/${encodeURIComponent(name)}`
}

function dataOf(payload: string | null, payloadType: number): Buffer {
  if (payload === null) return Buffer.alloc(0)
  return payloadType === BYTEA ? Buffer.from(payload.slice('\\x'.length), 'hex') : Buffer.from(payload)
}
