// The event bus: POST /v1/events (gateway/routes/events.ts). It has no fields of its own: the filter of a trigger says all.
import type { PushSource } from '../source.ts'

export const eventsSource: PushSource = {
  kind: 'events',
  delivery: 'push',
  fields: {},
  defaults: { concurrency: 0 },
}
