// The end of an asynchronous invocation: what becomes durable, and in which order.
//
//   1. the dead letter, when it failed for good
//   2. the final record
//   3. the job that tells its destination
//   4. the end of the claim (run.ts)
//
// Without a destination, 2 and 4 are one step of the store.
//
// Each step can be repeated. A process that dies in between leaves the claim to another one, which finds out how far it
// came: a letter means that the outcome is decided, a final record that it is written down, and neither is run again.
// The record comes before the job because a job that is being delivered notes that in a final record.
import type { Clock } from '#core/clock'
import type { DeadLetters } from '#core/dead-letter'
import { type Delivery, formatDestination, parseDestination } from '#core/destination'
import { asPlatformError } from '#core/errors'
import type { FunctionSpec } from '#core/function'
import type { Claim, Lanes, QueuedInvocation, RetryPolicy } from '#core/queue'
import type { InvocationRecord, RecordStore } from '#core/record'

import { isFinal } from './account.ts'
import { checkHeld, insist } from './insist.ts'

export interface SettleOptions {
  readonly records: RecordStore
  readonly deadLetters: DeadLetters
  readonly lanes: Pick<Lanes, 'add'>
  readonly clock: Clock
  /** Told of each final record when it is durable: for metrics. */
  readonly onEnd?: (record: InvocationRecord) => void
}

/** 1 s after the first try, up to an hour between two: some three hours in all. */
export const DELIVERY_RETRY: RetryPolicy = {
  maxAttempts: 15,
  backoff: 'exponential',
  delayMs: 1000,
  maxDelayMs: 3_600_000,
}

export interface Settlement {
  /** What to keep when it failed: the invocation, or what a partial failure left of it. */
  readonly invocation: QueuedInvocation
  /** Final, without `deadLetteredAt` and `deliveries`. */
  readonly record: InvocationRecord & { readonly finishedAt: number }
  /** Undefined when the version is gone: then there is nobody to tell. */
  readonly spec: FunctionSpec | undefined
}

/**
 * Steps 1 to 3.
 * @returns the final record where it is not saved: it is to be saved with the end of the claim
 * @throws PlatformError `conflict` when the lease is lost before they are done
 */
export async function settle(
  claim: Claim,
  settlement: Settlement,
  options: SettleOptions,
): Promise<InvocationRecord | undefined> {
  const { records, deadLetters, clock } = options
  const { invocation, record, spec } = settlement
  const failed = isFailure(record)
  if (failed) {
    const { state, finishedAt: at, attempts } = record
    const error = record.error ?? { code: 'internal', message: 'the cause is not known' }
    const letter = { invocation, state, error, attempts: attempts.length, at }
    await insist(() => deadLetters.add(letter), claim.lost, clock)
  }
  const told = toldOf(record, spec)
  const final: InvocationRecord = {
    ...record,
    ...(failed ? { deadLetteredAt: record.finishedAt } : {}),
    ...(told === undefined ? {} : { deliveries: [told] }),
  }
  if (told === undefined) return final
  await insist(() => records.save(final), claim.lost, clock)
  options.onEnd?.(final)
  await tell(claim, final, options)
  return undefined
}

/**
 * Step 3, also after a takeover: a delivery that the record has as pending is put into its lane. One that is there
 * already stays as it is.
 */
export async function tell(claim: Claim, record: InvocationRecord, options: SettleOptions): Promise<void> {
  const { records, lanes, clock } = options
  for (const note of record.deliveries ?? []) {
    if (note.state !== 'pending' || note.attempts > 0) continue
    const { invocation } = claim
    const { expiresAt: _, notBefore: __, ...rest } = invocation
    const delivery: Delivery = { on: note.on, destination: parseDestination(note.destination), record }
    const job: QueuedInvocation = { ...rest, acceptedAt: clock.now(), retry: DELIVERY_RETRY, priority: 0, delivery }
    try {
      await insist(() => lanes.add(job), claim.lost, clock)
    } catch (error) {
      checkHeld(claim.lost)
      const failed = { ...note, state: 'failed', at: clock.now(), error: asPlatformError(error).message } as const
      await insist(() => records.save({ ...record, deliveries: [failed] }), claim.lost, clock)
    }
  }
}

/** What is kept as a dead letter, and told as a failure. Who cancels knows already. */
function isFailure({ state }: InvocationRecord): boolean {
  return isFinal(state) && state !== 'succeeded' && state !== 'cancelled'
}

function toldOf(
  record: Settlement['record'],
  spec: FunctionSpec | undefined,
): NonNullable<InvocationRecord['deliveries']>[number] | undefined {
  if (spec === undefined || record.state === 'cancelled') return undefined
  const on = record.state === 'succeeded' ? 'success' : 'failure'
  const destination = on === 'success' ? spec.onSuccess : spec.onFailure
  if (destination === '') return undefined
  // As it is read again: the spec may be of an older form.
  const formatted = formatDestination(parseDestination(destination))
  return { on, destination: formatted, state: 'pending', attempts: 0, at: record.finishedAt }
}
