// A message of a JetStream stream as an event: the NATS binding of CloudEvents when it is one.
import type { JsMsg } from '@nats-io/jetstream'

import type { CloudEvent } from '#core/event'

import { eventOfMessage, messageType } from '../../cloud-events/message.ts'

const PREFIX = 'ce-'

/** What the event is made of: the same at every delivery. */
export type NatsMessage = Pick<JsMsg, 'data' | 'subject' | 'seq' | 'time' | 'headers'>

export function eventOf(message: NatsMessage, stream: string): CloudEvent {
  const attributes: Record<string, string> = {}
  let contentType: string | undefined
  for (const [name, [value = '']] of message.headers ?? []) {
    const lower = name.toLowerCase()
    if (lower === 'content-type') contentType = value
    else if (lower.startsWith(PREFIX)) attributes[lower.slice(PREFIX.length)] = value
  }
  return eventOfMessage(
    { data: message.data, contentType, attributes },
    {
      id: String(message.seq),
      source: `/nats/${encodeURIComponent(stream)}`,
      type: messageType('nats'),
      subject: message.subject,
      time: message.time.toISOString(),
    },
  )
}
