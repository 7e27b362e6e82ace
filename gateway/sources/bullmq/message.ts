// A job as an event.
import type { Job } from 'bullmq'

import { eventOfMessage, messageType } from '../../cloud-events/message.ts'
import type { ReceivedEvent } from '../source.ts'
import { structuredTypeOf } from '../structured.ts'

/** What the event is made of: the same at every delivery, but for `attemptsStarted`. */
export type BullmqJob = Pick<Job<unknown>, 'id' | 'name' | 'data' | 'timestamp' | 'attemptsMade' | 'attemptsStarted'>

/** A job that was completed or has failed and is retried by hand is another event: it is to run again. */
export function receivedOf(job: BullmqJob, queue: string): ReceivedEvent {
  const { id = '', name, timestamp, attemptsMade, attemptsStarted } = job
  const data = Buffer.from(JSON.stringify(job.data) ?? '')
  const event = eventOfMessage(
    { data, contentType: structuredTypeOf(data) ?? 'application/json' },
    {
      id,
      source: `/bullmq/${encodeURIComponent(queue)}`,
      type: messageType('bullmq'),
      ...(name === '' ? {} : { subject: name }),
      time: new Date(timestamp).toISOString(),
    },
  )
  return { event, key: `${id}/${timestamp}/${attemptsMade}`, redelivered: attemptsStarted > 1 }
}
