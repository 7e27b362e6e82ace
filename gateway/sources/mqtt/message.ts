// A message of a topic as an event: the MQTT 5.0 binding of CloudEvents when it is one.
import { randomUUID } from 'node:crypto'

import type { IPublishPacket } from 'mqtt'

import type { CloudEvent } from '#core/event'

import { eventOfMessage, messageType } from '../../cloud-events/message.ts'

const ATTRIBUTE = /^[a-z0-9]+$/

/** @param host of the broker; MQTT gives messages no id that outlives a delivery, so one is made */
export function eventOf({ topic, payload, properties }: IPublishPacket, host: string): CloudEvent {
  return eventOfMessage(
    {
      data: typeof payload === 'string' ? Buffer.from(payload) : payload,
      contentType: properties?.contentType,
      attributes: attributesOf(properties?.userProperties ?? {}),
    },
    { id: randomUUID(), source: `/mqtt/${host}`, type: messageType('mqtt'), subject: topic },
  )
}

/** The binding has no prefix: only what says which version of CloudEvents it is is taken for an event. */
function attributesOf(properties: Readonly<Record<string, string | string[]>>): Record<string, string> {
  if (properties.specversion === undefined) return {}
  const single = Object.entries(properties).map(([name, value]) => [name, Array.isArray(value) ? value[0] : value])
  return Object.fromEntries(single.filter(([name]) => ATTRIBUTE.test(String(name)))) as Record<string, string>
}
