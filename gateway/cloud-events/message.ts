// A message of a broker as an event.
import { EVENT_TYPE_PREFIX, type CloudEvent, type EventAttributes } from '#core/event'
import type { SourceKind } from '#core/trigger'

import { makeEvent, PRINTABLE } from './event.ts'
import { mediaTypeOf, STRUCTURED_TYPE } from './http.ts'
import { eventFromJson, jsonText } from './json.ts'

const decoder = new TextDecoder()

export interface BrokerMessage {
  readonly data: Uint8Array
  readonly contentType?: string | undefined
  /**
   * Attributes that the message itself carries, without the prefix of the binding (`ce-`, `cloudEvents:`): the message is
   * an event in binary mode when `id`, `source` and `type` are among them.
   */
  readonly attributes?: Readonly<Record<string, unknown>>
}

/**
 * What the message says that it is, in structured or binary mode; else an event with the attributes of `fallback` and the
 * message as its data. Never fails, so that no message can block a source: what claims to be an event and is none is data.
 * The same message must give the same event at every delivery: take id and time from the broker, not from here.
 */
export function eventOfMessage(message: BrokerMessage, fallback: EventAttributes): CloudEvent {
  const { data, contentType, attributes = {} } = message
  try {
    if (mediaTypeOf(contentType) === STRUCTURED_TYPE) return eventFromJson(jsonText(data))
    if (attributes.id !== undefined && attributes.source !== undefined && attributes.type !== undefined) {
      return makeEvent({ ...attributes, datacontenttype: contentType ?? attributes.datacontenttype }, data)
    }
  } catch {
    // It goes on as data.
  }
  return { attributes: { ...fallback, ...typeOfData(contentType, data) }, data }
}

/** `dev.hearth.nats.message`: what events of messages that say nothing of themselves have as their type. */
export function messageType(kind: SourceKind): string {
  return `${EVENT_TYPE_PREFIX}.${kind}.message`
}

/** Most producers send JSON and do not say so. */
function typeOfData(contentType: string | undefined, data: Uint8Array): { readonly datacontenttype?: string } {
  if (contentType !== undefined && PRINTABLE.test(contentType)) return { datacontenttype: contentType }
  if (data.length === 0) return {}
  return { datacontenttype: looksLikeJson(data) ? 'application/json' : 'application/octet-stream' }
}

function looksLikeJson(data: Uint8Array): boolean {
  try {
    JSON.parse(decoder.decode(data))
    return true
  } catch {
    return false
  }
}
