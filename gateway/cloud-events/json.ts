// The JSON event format: structured mode, and batches.
import { PlatformError } from '#core/errors'
import { isJsonType, type CloudEvent } from '#core/event'

import { invalid, makeEvent, notAnEvent } from './event.ts'

const encoder = new TextEncoder()
const strictDecoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: false })
const EMPTY = new Uint8Array(0)
const TEXT_TYPE = /^text\//i
const BASE64 = /^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$/
/** A number that a double may not hold. */
const LONG_NUMBER = /\d{16}|\d[eE]/

/** @throws PlatformError `invalid-event` when it is no UTF-8: replaced characters would be another event */
export function jsonText(bytes: Uint8Array): string {
  const text = utf8(bytes)
  if (text === undefined) throw notAnEvent('JSON in UTF-8', 'bytes that are not')
  return text
}

/** @throws PlatformError `invalid-event` */
export function eventFromJson(text: string): CloudEvent {
  return eventFromObject(parseJson(text))
}

/** @throws PlatformError `invalid-event`; `detail` says which event of the batch it is */
export function eventsFromBatch(text: string): readonly CloudEvent[] {
  const list = parseJson(text)
  if (!Array.isArray(list)) throw notAnEvent('a JSON array of events', text)
  return list.map((item, index) => {
    try {
      return eventFromObject(item)
    } catch (error) {
      throw inBatch(error, index)
    }
  })
}

function inBatch(error: unknown, index: number): unknown {
  if (!(error instanceof PlatformError)) return error
  return new PlatformError(error.code, {
    detail: `event ${index} of the batch: ${error.message}`,
    members: { ...error.members, index },
  })
}

/** As structured mode has it. */
export function eventToJson({ attributes, data }: CloudEvent): string {
  const head = JSON.stringify({ specversion: '1.0', ...attributes })
  if (data.length === 0) return head
  return `${head.slice(0, -1)},${dataMember(data, attributes.datacontenttype)}}`
}

export function eventsToBatch(events: readonly CloudEvent[]): string {
  return `[${events.map(eventToJson).join(',')}]`
}

function eventFromObject(value: unknown): CloudEvent {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw notAnEvent('a JSON object with the attributes of an event', JSON.stringify(value) ?? 'nothing')
  }
  const { data, data_base64: base64, ...attributes } = value as Record<string, unknown>
  if (attributes.specversion !== '1.0') throw invalid('specversion', 'be "1.0"', attributes.specversion)
  if (base64 !== undefined && base64 !== null) {
    if (data !== undefined) throw invalid('data_base64', 'be there without data', 'both')
    if (typeof base64 !== 'string' || !BASE64.test(base64)) throw invalid('data_base64', 'be base64', base64)
    return makeEvent(attributes, Buffer.from(base64, 'base64'))
  }
  if (data === undefined || data === null) return makeEvent(attributes, EMPTY)
  const { datacontenttype } = attributes
  if (typeof data === 'string' && typeof datacontenttype === 'string' && !isJsonType(datacontenttype)) {
    return makeEvent(attributes, encoder.encode(data))
  }
  // What the JSON format says is meant where there is no type.
  const typed = { ...attributes, datacontenttype: datacontenttype ?? 'application/json' }
  return makeEvent(typed, encoder.encode(JSON.stringify(data)))
}

function parseJson(text: string): unknown {
  try {
    return LONG_NUMBER.test(text) ? JSON.parse(text, keepNumber) : JSON.parse(text)
  } catch (error) {
    throw notAnEvent('JSON', error instanceof RangeError ? 'one that is nested too deep' : (error as Error).message)
  }
}

/** Numbers as they were written: an order number of 20 digits must not come out as another one. */
function keepNumber(_key: string, value: unknown, context?: { readonly source?: string }): unknown {
  const source = context?.source
  if (typeof value !== 'number' || source === undefined || String(value) === source) return value
  return (JSON as unknown as { rawJSON(text: string): unknown }).rawJSON(source)
}

/** JSON as it is, text as text, everything else as base64. */
function dataMember(data: Uint8Array, datacontenttype: string | undefined): string {
  const text = isJsonType(datacontenttype) || TEXT_TYPE.test(datacontenttype ?? '') ? utf8(data) : undefined
  if (text !== undefined && !isJsonType(datacontenttype)) return `"data":${JSON.stringify(text)}`
  if (text !== undefined && isJson(text)) return `"data":${text}`
  return `"data_base64":"${Buffer.from(data.buffer, data.byteOffset, data.length).toString('base64')}"`
}

function utf8(data: Uint8Array): string | undefined {
  try {
    return strictDecoder.decode(data)
  } catch {
    return undefined
  }
}

function isJson(text: string): boolean {
  try {
    JSON.parse(text)
    return true
  } catch {
    return false
  }
}
