// What a destination is told about a finished invocation: a CloudEvent. Pure; knows no way to get it there.
import { type Delivery } from '#core/destination'
import { type CloudEvent, EVENT_TYPE_PREFIX } from '#core/event'
import type { HeaderList } from '#core/invocation'
import type { InvocationRecord, RecordInput, RecordResult } from '#core/record'

import { modeOf, readEvents } from '../cloud-events/http.ts'

/** How many destinations an event has gone through: functions that tell each other would go round for ever. */
export const HOPS = 'hearthhops'
export const MAX_HOPS = 16

/** Also the id of the message: the same however often it is told. */
export function deliveryId({ record, on }: Delivery): string {
  return `${record.id}-${on}`
}

/**
 * `dev.hearth.invocation.success` or `…failure`, with the request, the response and the error as JSON. Bodies that the
 * record does not have (too large) are left out.
 */
export function toldEvent(delivery: Delivery): CloudEvent {
  const { record, on } = delivery
  const { id, function: name, version, trigger, state, acceptedAt, finishedAt, attempts, result, error } = record
  const data = {
    invocation: id,
    function: name,
    version,
    trigger,
    state,
    acceptedAt,
    finishedAt,
    attempts: attempts.length,
    request: { method: record.request.method, target: record.request.target, ...record.input },
    ...(result === undefined ? {} : { response: result }),
    ...(error === undefined ? {} : { error: { code: error.code, message: error.message } }),
  }
  const attributes = {
    id: deliveryId(delivery),
    source: `/functions/${name}`,
    type: `${EVENT_TYPE_PREFIX}.invocation.${on}`,
    subject: id,
    time: new Date(finishedAt ?? acceptedAt).toISOString(),
    datacontenttype: 'application/json',
    [HOPS]: hopsOf(record) + 1,
  }
  return { attributes, data: Buffer.from(JSON.stringify(data)) }
}

/**
 * The events that go on to the bus: those that the function answered with, when its response is one of CloudEvents,
 * else what is told.
 */
export function emittedEvents(delivery: Delivery): readonly CloudEvent[] {
  const answered = delivery.on === 'success' ? eventsIn(delivery.record.result) : []
  if (answered.length === 0) return [toldEvent(delivery)]
  const hops = hopsOf(delivery.record) + 1
  return answered.map(({ attributes, data }) => ({ attributes: { ...attributes, [HOPS]: hops }, data }))
}

/** 0 for what no destination has led to. Also of an input that was too large to be kept; a caller may have said it too. */
export function hopsOf({ cause, input }: InvocationRecord): number {
  return Math.max(cause?.hops ?? 0, hopsOfEvents(eventsIn(input)))
}

/** The most that one of them has gone through. */
export function hopsOfEvents(events: readonly CloudEvent[]): number {
  return events.reduce((most, { attributes }) => Math.max(most, Number(attributes[HOPS]) || 0), 0)
}

/** None when there are none, or they are malformed: then they are a body like any other. */
function eventsIn(message: RecordInput | RecordResult | undefined): readonly CloudEvent[] {
  if (message?.body === undefined) return []
  const headers = headersOf(message.headers)
  if (modeOf(headers) === undefined) return []
  try {
    return readEvents(headers, Buffer.from(message.body, message.bodyEncoding ?? 'utf8'))
  } catch {
    return []
  }
}

function headersOf(list: HeaderList): Record<string, string> {
  return Object.fromEntries(list.map(([name, value]) => [name.toLowerCase(), value]))
}
