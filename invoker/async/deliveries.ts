// The delivery lanes: tells destinations what came of invocations, and notes in the record whether they know.
import type { Clock } from '#core/clock'
import { type Delivery, type DeliveryNote, type Destinations, formatDestination } from '#core/destination'
import { asPlatformError, PlatformError } from '#core/errors'
import type { FunctionName } from '#core/ids'
import type { Claim } from '#core/queue'
import type { InvocationRecord, RecordStore } from '#core/record'

import type { Log } from '#invoker/log'
import { isFinal } from './account.ts'
import { checkHeld, insist } from './insist.ts'
import type { Admission, OpenLane, Service } from './lane-server.ts'
import { backoffMs } from './retry.ts'
import type { Handover } from './slot.ts'

export interface DeliveriesOptions {
  readonly destinations: Destinations
  readonly records: RecordStore
  readonly clock: Clock
  readonly log: Log
  /** Told of every delivery that came to its end, for metrics. */
  readonly onDelivery: (name: FunctionName, state: 'delivered' | 'failed') => void
}

/** Of one try. */
const LIMIT_MS = 30_000
/** When something unexpected happened, ms. */
const LATER_MS = 5000

export class Deliveries implements Service<OpenLane> {
  readonly #options: DeliveriesOptions

  constructor(options: DeliveriesOptions) {
    this.#options = options
  }

  open(lane: OpenLane): OpenLane {
    return lane
  }

  admits(): Admission {
    return 'yes'
  }

  async lookUp(): Promise<void> {}

  expires(): boolean {
    return false
  }

  async run(claim: Claim, _lane: OpenLane, handover: Handover): Promise<Claim | undefined> {
    try {
      await this.#deliver(claim, handover)
    } catch (error) {
      if (claim.lost.aborted) return undefined
      const { id, function: name } = claim.invocation
      this.#options.log.warn('a delivery could not be served', { id, function: name, error })
      // Without effect when it was the end of the claim itself that failed.
      await claim.release(LATER_MS).catch(() => {})
    }
    return undefined
  }

  async #deliver(claim: Claim, handover: Handover): Promise<void> {
    const { invocation, lost, cancelled } = claim
    const { records, clock, onDelivery } = this.#options
    const record = await insist(() => records.get(invocation.id), lost, clock)
    const { delivery } = invocation
    // One that was delivered by a process that ended before it could say so to the lane.
    if (delivery === undefined || cancelled.aborted || isDone(record, delivery)) return claim.complete()
    const error = await this.#try(claim, delivery, handover)
    if (error !== undefined && handover.stop.aborted) return claim.release(0)
    checkHeld(lost)
    const { attempt } = claim
    const again = error?.retryable === true && attempt < invocation.retry.maxAttempts
    const state = error === undefined ? 'delivered' : again ? 'pending' : 'failed'
    await this.#note(claim, {
      on: delivery.on,
      destination: formatDestination(delivery.destination),
      state,
      attempts: attempt,
      at: clock.now(),
      ...(error === undefined ? {} : { error: error.message }),
    })
    if (again) return claim.retry(backoffMs(invocation.retry, attempt, Math.random()), error.message)
    onDelivery(invocation.function, state === 'delivered' ? state : 'failed')
    await claim.complete()
  }

  async #try(claim: Claim, delivery: Delivery, { stop }: Handover): Promise<PlatformError | undefined> {
    const { destinations, clock } = this.#options
    const abort = new AbortController()
    const late = Promise.withResolvers<PlatformError>()
    const onStop = (): void => abort.abort()
    for (const signal of [stop, claim.lost]) signal.addEventListener('abort', onStop)
    using _limit = clock.after(LIMIT_MS, () => {
      abort.abort()
      const detail = `the destination did not answer within ${LIMIT_MS / 1000} s`
      late.resolve(new PlatformError('delivery-failed', { detail }))
    })
    try {
      const done = destinations.deliver(claim.invocation.id, delivery, abort.signal).then(() => undefined)
      return await Promise.race([done, late.promise])
    } catch (error) {
      return asPlatformError(error)
    } finally {
      for (const signal of [stop, claim.lost]) signal.removeEventListener('abort', onStop)
    }
  }

  /** The record may be gone, by its age; there is nothing to note then. */
  async #note({ invocation, lost }: Claim, note: DeliveryNote): Promise<void> {
    const { records, clock } = this.#options
    await insist(
      async () => {
        const record = await records.get(invocation.id)
        if (record === undefined || !isFinal(record.state)) return
        const others = (record.deliveries ?? []).filter(({ on }) => on !== note.on)
        await records.save({ ...record, deliveries: [...others, note] })
      },
      lost,
      clock,
    )
  }
}

function isDone(record: InvocationRecord | undefined, { on }: Delivery): boolean {
  const note = record?.deliveries?.find((each) => each.on === on)
  return note !== undefined && note.state !== 'pending'
}
