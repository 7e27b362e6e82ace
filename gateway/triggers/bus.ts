// The event bus: every event goes to all triggers of kind `events` whose filter it matches.
import type { CloudEvent } from '#core/event'

import { keyOf } from '../sources/http/message.ts'
import type { Triggers } from './triggers.ts'

export interface Published {
  readonly accepted: number
  /** Over all triggers: an event that three of them want counts three times. */
  readonly deliveries: number
  /** Events that no trigger wanted. */
  readonly unmatched: number
}

/**
 * Resolves when all are durable for all triggers that want them. When it rejects some may be; sent again, those are
 * known by their source and id.
 * @throws PlatformError the first failure
 */
export async function publish(triggers: Triggers, events: readonly CloudEvent[]): Promise<Published> {
  const served = triggers.pushed('events')
  const accepting = events.map((event) => {
    const received = { event, key: keyOf(event.attributes) }
    return Promise.allSettled(served.map((trigger) => trigger.accept(received)))
  })
  let [deliveries, unmatched] = [0, 0]
  for (const outcomes of await Promise.all(accepting)) {
    const wanted = outcomes.filter(isWanted).length
    deliveries += wanted
    if (wanted === 0) unmatched += 1
  }
  return { accepted: events.length, deliveries, unmatched }
}

/** @throws why it was not accepted */
function isWanted(outcome: PromiseSettledResult<boolean>): boolean {
  if (outcome.status === 'rejected') throw outcome.reason
  return outcome.value
}
