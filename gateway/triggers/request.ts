// The request that a function gets for the events of an invocation.
import type { CloudEvent } from '#core/event'
import type { QueuedRequest } from '#core/queue'
import type { TriggerSpec } from '#core/trigger'

import { batchRequest, binaryRequest, structuredRequest } from '../cloud-events/http.ts'

/** What the function sees as the origin of its URL: no client called it. */
export const INTERNAL_ORIGIN = 'http://hearth.internal'

/** With `batchSize` above 1 always a batch, also of one event, so that the function has one form to read. */
export function requestOf(
  { path, mode, batchSize }: Pick<TriggerSpec, 'path' | 'mode' | 'batchSize'>,
  events: readonly CloudEvent[],
): QueuedRequest {
  return { method: 'POST', target: path, origin: INTERNAL_ORIGIN, ...contentOf(mode, batchSize, events) }
}

function contentOf(
  mode: TriggerSpec['mode'],
  batchSize: number,
  events: readonly CloudEvent[],
): Pick<QueuedRequest, 'headers' | 'body'> {
  const [first] = events
  if (batchSize > 1 || first === undefined) return batchRequest(events)
  return mode === 'binary' ? binaryRequest(first) : structuredRequest(first)
}
