// The HTTP binding: binary, structured and batched mode.
import type { IncomingHttpHeaders } from 'node:http'

import type { CloudEvent } from '#core/event'
import type { HeaderList } from '#core/invocation'

import { makeEvent, notAnEvent } from './event.ts'
import { eventFromJson, eventsFromBatch, eventsToBatch, eventToJson, jsonText } from './json.ts'

export const STRUCTURED_TYPE = 'application/cloudevents+json'
export const BATCH_TYPE = 'application/cloudevents-batch+json'
const PREFIX = 'ce-'
/** Space, double quote, percent, and everything that is not printable ASCII (section 3.1.3.2 of the binding). */
const ENCODED = /[^\x21\x23\x24\x26-\x7e]/gu

export interface EventRequest {
  readonly headers: HeaderList
  readonly body: Uint8Array
}

export type HttpMode = 'binary' | 'structured' | 'batch'

/** How a request carries events; undefined: it carries none. */
export function modeOf(headers: IncomingHttpHeaders): HttpMode | undefined {
  const type = mediaTypeOf(headers['content-type'])
  if (type === BATCH_TYPE) return 'batch'
  if (type === STRUCTURED_TYPE) return 'structured'
  return headers['ce-specversion'] === undefined && headers['ce-id'] === undefined ? undefined : 'binary'
}

/** Without parameters, in lower case; empty when there is none. */
export function mediaTypeOf(contentType: string | undefined): string {
  return contentType?.split(';', 1)[0]?.trim().toLowerCase() ?? ''
}

/** @throws PlatformError `invalid-event` */
export function readEvents(headers: IncomingHttpHeaders, body: Uint8Array): readonly CloudEvent[] {
  const mode = modeOf(headers)
  if (mode === undefined) {
    throw notAnEvent(
      `an event: ce-specversion, ce-id, ce-source and ce-type as headers, or the Content-Type ${STRUCTURED_TYPE} or ${BATCH_TYPE}`,
      `the Content-Type ${headers['content-type'] ?? '(none)'} without ce- headers`,
    )
  }
  if (mode === 'binary') return [fromBinary(headers, body)]
  const text = jsonText(body)
  return mode === 'batch' ? eventsFromBatch(text) : [eventFromJson(text)]
}

/** Attributes as headers, the data as the body. */
export function binaryRequest({ attributes, data }: CloudEvent): EventRequest {
  const headers: [string, string][] = [[`${PREFIX}specversion`, '1.0']]
  for (const [name, value] of Object.entries(attributes)) {
    if (value === undefined) continue
    if (name === 'datacontenttype') headers.push(['content-type', String(value)])
    else headers.push([PREFIX + name, encodeHeader(String(value))])
  }
  return { headers, body: data }
}

export function structuredRequest(event: CloudEvent): EventRequest {
  const headers: HeaderList = [['content-type', `${STRUCTURED_TYPE}; charset=utf-8`]]
  return { headers, body: Buffer.from(eventToJson(event)) }
}

export function batchRequest(events: readonly CloudEvent[]): EventRequest {
  const headers: HeaderList = [['content-type', `${BATCH_TYPE}; charset=utf-8`]]
  return { headers, body: Buffer.from(eventsToBatch(events)) }
}

function fromBinary(headers: IncomingHttpHeaders, body: Uint8Array): CloudEvent {
  const attributes: Record<string, unknown> = { specversion: '' }
  for (const [name, value] of Object.entries(headers)) {
    if (name.startsWith(PREFIX)) attributes[name.slice(PREFIX.length)] = decodeHeader(String(value))
  }
  const type = headers['content-type']
  if (type !== undefined) attributes.datacontenttype = type
  return makeEvent(attributes, body)
}

function encodeHeader(value: string): string {
  return value.replace(ENCODED, (character) =>
    [...Buffer.from(character)].map((byte) => `%${byte.toString(16).toUpperCase().padStart(2, '0')}`).join(''),
  )
}

/** What is not percent-encoded as it should be is taken as it is. */
function decodeHeader(value: string): string {
  const quoted = /^"((?:[^"\\]|\\.)*)"$/.exec(value)?.[1]
  const text = quoted === undefined ? value : quoted.replaceAll(/\\(.)/g, '$1')
  try {
    return decodeURIComponent(text)
  } catch {
    return text
  }
}
