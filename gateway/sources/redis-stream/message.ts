// An entry of a stream as an event.
import type { CloudEvent } from '#core/event'

import { eventOfMessage, messageType } from '../../cloud-events/message.ts'
import { structuredTypeOf } from '../structured.ts'

/** Ids made by Redis begin with the time; one that a producer gave may be any number. */
const FIRST_TIME_MS = Date.UTC(2001, 8, 9)
const LAST_TIME_MS = Date.UTC(9999, 11, 31)
const strictDecoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })

export interface StreamEntry {
  readonly id: string
  /** Names and values in turn. */
  readonly fields: readonly Buffer[]
}

/** @param field that holds the data; empty: all fields do */
export function eventOf({ id, fields }: StreamEntry, stream: string, field: string): CloudEvent {
  const ms = timeOf(id)
  const data = valueOf(fields, field) ?? allAsJson(fields)
  return eventOfMessage(
    { data, contentType: structuredTypeOf(data) },
    {
      id,
      source: `/redis-stream/${encodeURIComponent(stream)}`,
      type: messageType('redis-stream'),
      ...(ms === undefined ? {} : { time: new Date(ms).toISOString() }),
    },
  )
}

/** When the entry was added, ms since the epoch; undefined: its id does not say. */
export function timeOf(id: string): number | undefined {
  const ms = Number(id.split('-')[0])
  return ms >= FIRST_TIME_MS && ms <= LAST_TIME_MS ? ms : undefined
}

function valueOf(fields: readonly Buffer[], name: string): Buffer | undefined {
  if (name === '') return undefined
  const wanted = Buffer.from(name)
  const index = fields.findIndex((each, at) => at % 2 === 0 && each.equals(wanted))
  return index === -1 ? undefined : fields[index + 1]
}

/** A field that is there several times is a list; a value that is no text is base64, under its name and `_base64`. */
function allAsJson(fields: readonly Buffer[]): Buffer {
  const values = new Map<string, string[]>()
  for (let at = 0; at + 1 < fields.length; at += 2) {
    const value = fields[at + 1] ?? Buffer.alloc(0)
    const text = textOf(value)
    const name = `${fields[at]?.toString() ?? ''}${text === undefined ? '_base64' : ''}`
    values.set(name, [...(values.get(name) ?? []), text ?? value.toString('base64')])
  }
  const entries = [...values].map(([name, list]) => [name, list.length === 1 ? list[0] : list] as const)
  return Buffer.from(JSON.stringify(Object.fromEntries(entries)))
}

function textOf(value: Buffer): string | undefined {
  try {
    return strictDecoder.decode(value)
  } catch {
    return undefined
  }
}
