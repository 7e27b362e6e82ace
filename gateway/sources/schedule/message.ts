// A time that was due, as an event.
import { EVENT_TYPE_PREFIX } from '#core/event'
import type { TriggerName } from '#core/ids'

import { eventOfMessage } from '../../cloud-events/message.ts'
import type { ReceivedEvent } from '../source.ts'

/** The same time is the same event, whichever process makes it. */
export function eventOfTime(trigger: TriggerName, dueAt: number, data: string): ReceivedEvent {
  const time = new Date(dueAt).toISOString()
  const fallback = { id: time, source: `/triggers/${trigger}`, type: `${EVENT_TYPE_PREFIX}.schedule`, time }
  return { event: eventOfMessage({ data: Buffer.from(data) }, fallback), key: time }
}
