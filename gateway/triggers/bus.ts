// The event bus: every event goes to all triggers of kind `events` whose filter it matches.
import { PlatformError } from '#core/errors'
import type { CloudEvent } from '#core/event'

import { keyOf } from '../sources/http/message.ts'
import type { Triggers } from './triggers.ts'

export interface Published {
  readonly accepted: number
  /** Over all triggers: an event that three of them want counts three times. */
  readonly deliveries: number
  /** Events that no trigger wanted. */
  readonly unmatched: number
  /** Over all triggers: wanted, and not delivered, for the function of the trigger is not there. Its status says so. */
  readonly refused: number
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
  let [deliveries, unmatched, refused] = [0, 0, 0]
  for (const outcomes of await Promise.all(accepting)) {
    const fates = outcomes.map(fateOf)
    deliveries += fates.filter((fate) => fate === 'delivered').length
    refused += fates.filter((fate) => fate === 'refused').length
    if (fates.every((fate) => fate === 'unwanted')) unmatched += 1
  }
  return { accepted: events.length, deliveries, unmatched, refused }
}

/** @throws why it was not accepted, unless sending it again would not help: one such trigger must not stop the others */
function fateOf(outcome: PromiseSettledResult<boolean>): 'delivered' | 'unwanted' | 'refused' {
  if (outcome.status === 'fulfilled') return outcome.value ? 'delivered' : 'unwanted'
  const { reason } = outcome
  if (reason instanceof PlatformError && reason.code === 'function-not-found') return 'refused'
  throw reason
}
