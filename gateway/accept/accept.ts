// Takes asynchronous invocations in: a record, and a place in a lane. START HERE for what a 202 promises. Knows nothing
// of HTTP, nor of keys (idempotency/keyed-accept.ts).
//
// The record and the place go out at the same time; the store lets no `queued` stand in the way of what an invoker
// writes meanwhile. The place is what counts:
// - It is there: accepted, also when the record could not be written. That is written later, by this process or by
//   whoever runs the invocation.
// - It is not there: refused, and the record says so.
// - It cannot be known, for Redis went away before it answered: refused, and the refusal says that it may run.
import type { Clock } from '#core/clock'
import { asPlatformError, PlatformError } from '#core/errors'
import type { Lanes, QueuedInvocation } from '#core/queue'
import type { InvocationRecord, RecordStore } from '#core/record'

import { queuedRecord } from './queued.ts'

export interface AcceptDeps {
  readonly records: RecordStore
  readonly lanes: Lanes
  readonly clock: Clock
}

/** Why an invocation was not accepted. */
export interface Refusal {
  /** `store-unavailable`, with the id in `members` when it may run all the same. */
  readonly error: PlatformError
  /** It may be in its lane. */
  readonly mayRun: boolean
}

/** Undefined when it is accepted, durably. Never rejects. */
export async function accept(deps: AcceptDeps, invocation: QueuedInvocation): Promise<Refusal | undefined> {
  const saving = deps.records.save(queuedRecord(invocation)).catch(() => {})
  try {
    await deps.lanes.add(invocation)
  } catch (error) {
    return refuse(deps, invocation, error)
  }
  // Whoever has the 202 may ask for the record.
  await saving
  return undefined
}

/** As `accept`, of any number at once; one answer each, in order. */
export async function acceptMany(
  deps: AcceptDeps,
  invocations: readonly QueuedInvocation[],
): Promise<readonly (Refusal | undefined)[]> {
  if (invocations.length === 0) return []
  const saving = invocations.map((invocation) => deps.records.save(queuedRecord(invocation)).catch(() => {}))
  const errors = await deps.lanes
    .addMany(invocations)
    .catch((error: unknown) => invocations.map(() => asPlatformError(error)))
  await Promise.all(saving)
  return Promise.all(
    invocations.map(async (invocation, index) => {
      const error = errors[index]
      return error === undefined ? undefined : refuse(deps, invocation, error)
    }),
  )
}

/** Puts a refusal down in the record: nobody will ask for the same invocation again. */
export function putDown(deps: AcceptDeps, invocation: QueuedInvocation, { error }: Refusal): void {
  const { code, message } = error
  const finishedAt = deps.clock.now()
  deps.records.write({ ...queuedRecord(invocation), state: 'failed', finishedAt, error: { code, message } })
}

/** Whether a record says more than that it was to be queued. */
export function hasBegun({ state, attempts }: InvocationRecord): boolean {
  return state !== 'queued' || attempts.length > 0
}

async function refuse(deps: AcceptDeps, invocation: QueuedInvocation, cause: unknown): Promise<Refusal | undefined> {
  const { id } = invocation
  const isThere = await isQueued(deps, invocation).catch(() => undefined)
  if (isThere === true) return undefined
  if (isThere === false) {
    const error = new PlatformError('store-unavailable', { detail: 'the invocation could not be queued', cause })
    return { error, mayRun: false }
  }
  return {
    error: new PlatformError('store-unavailable', {
      detail: `Redis went away before it had said whether the invocation is queued: it may run, as ${id}`,
      cause,
      members: { invocation: id },
    }),
    mayRun: true,
  }
}

/** After an add that failed: whether it is in its lane all the same, or was, and has begun. */
async function isQueued({ records, lanes }: AcceptDeps, { id, function: name }: QueuedInvocation): Promise<boolean> {
  if (await lanes.has(name, id)) return true
  const record = await records.get(id)
  return record !== undefined && hasBegun(record)
}
