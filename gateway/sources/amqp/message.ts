// A message of a queue as an event: the AMQP binding of CloudEvents when it is one.
import { randomUUID } from 'node:crypto'

import type { ConsumeMessage } from 'amqplib'

import type { CloudEvent } from '#core/event'

import { eventOfMessage, messageType } from '../../cloud-events/message.ts'
import type { ReceivedEvent } from '../source.ts'

/** The binding has two, for not all brokers take the first. */
const PREFIX = /^cloudEvents[:_]/

export type AmqpMessage = Pick<ConsumeMessage, 'content' | 'properties'> & {
  readonly fields: Pick<ConsumeMessage['fields'], 'redelivered' | 'routingKey'>
}

/** Its key is the message id, where the producer gave one. */
export function receivedOf({ content, properties, fields }: AmqpMessage, queue: string): ReceivedEvent {
  const attributes: Record<string, unknown> = {}
  for (const [name, value] of Object.entries(properties.headers ?? {})) {
    if (PREFIX.test(name)) attributes[name.replace(PREFIX, '')] = plain(value)
  }
  const messageId = textOf(properties.messageId)
  const time = timeOf(properties.timestamp)
  const event = eventOfMessage(
    { data: content, contentType: textOf(properties.contentType), attributes },
    {
      id: messageId ?? randomUUID(),
      source: `/amqp/${encodeURIComponent(queue)}`,
      type: messageType('amqp'),
      ...(fields.routingKey === '' ? {} : { subject: fields.routingKey }),
      ...(time === undefined ? {} : { time }),
    },
  )
  return { event, redelivered: fields.redelivered, ...keyOf(messageId, event) }
}

/** An event has an id of its own, which is unique together with its source. */
function keyOf(messageId: string | undefined, { attributes }: CloudEvent): { readonly key?: string } {
  return messageId === undefined ? {} : { key: `${attributes.source}\n${attributes.id}\n${messageId}` }
}

/** A value of the field table of a message as CloudEvents has it. */
function plain(value: unknown): unknown {
  if (Buffer.isBuffer(value)) return value.toString()
  if (typeof value === 'object' && value !== null && '!' in value && 'value' in value && value['!'] === 'timestamp') {
    return timeOf(value.value)
  }
  return value
}

function textOf(value: unknown): string | undefined {
  return typeof value === 'string' && value !== '' ? value : undefined
}

/** AMQP has s since the epoch; some producers send ms, which no year of four digits is. */
function timeOf(value: unknown): string | undefined {
  const seconds = Number(value)
  if (value === undefined || !Number.isSafeInteger(seconds) || seconds < 0) return undefined
  const date = new Date(seconds * 1000)
  return Number.isNaN(date.getTime()) || date.getUTCFullYear() > 9999 ? undefined : date.toISOString()
}
