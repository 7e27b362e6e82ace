// Asynchronous invocations with keys: each is accepted once, however often it is sent, and whoever dies in between.
//
// The key holds the id of the invocation from before it is queued until the answer is stored. Whoever finds a key that
// was left in between goes on with that id, which a lane takes once.
import { asPlatformError, PlatformError } from '#core/errors'
import type { Begun, IdempotencyStore, StoredResponse } from '#core/idempotency'
import type { InvocationId } from '#core/ids'
import type { QueuedInvocation } from '#core/queue'

import { acceptMany, hasBegun, putDown } from '../accept/accept.ts'
import type { AcceptDeps, Refusal } from '../accept/accept.ts'
import type { KeyedRequest } from './fingerprint.ts'

export interface KeyedAcceptDeps extends AcceptDeps {
  readonly idempotency: IdempotencyStore
}

export interface KeyedSubmission extends KeyedRequest {
  readonly invocation: QueuedInvocation
  /** What is answered when it is accepted, now and later; the id may be that of an earlier try. */
  readonly answer: (id: InvocationId) => StoredResponse
}

export type KeyedAnswer =
  | { readonly id: InvocationId; readonly response: StoredResponse; readonly isReplay: boolean }
  | { readonly error: PlatformError }

/**
 * One answer each, in order. Waits for others that are sending the same now.
 * @throws PlatformError `store-unavailable` when nothing was begun; the reason of the signal
 */
export async function acceptKeyed(
  deps: KeyedAcceptDeps,
  submissions: readonly KeyedSubmission[],
  signal: AbortSignal,
): Promise<readonly KeyedAnswer[]> {
  const begun = await deps.idempotency.beginMany(
    submissions.map(({ key, fingerprint, invocation }) => ({ key, fingerprint, invocation: invocation.id })),
  )
  const answers = new Map<number, KeyedAnswer>()
  const own: Own[] = []
  for (const [index, submission] of submissions.entries()) {
    const found = begun[index] as Begun
    if (found.kind === 'first') own.push({ index, submission, before: found.before })
    else if (found.kind !== 'running') answers.set(index, known(found))
  }
  // First what is ours: a later one of the same request may have the same key.
  for (const [index, answer] of await acceptOwn(deps, own)) answers.set(index, answer)
  return Promise.all(
    submissions.map(async (submission, index) => answers.get(index) ?? (await join(deps, submission, signal))),
  )
}

interface Own {
  readonly index: number
  readonly submission: KeyedSubmission
  readonly before: InvocationId | undefined
}

/** Waits for whoever has the key, and goes on in its place when it does not come to an end. */
async function join(deps: KeyedAcceptDeps, submission: KeyedSubmission, signal: AbortSignal): Promise<KeyedAnswer> {
  const { key, fingerprint, invocation } = submission
  const found = await deps.idempotency.settled(key, fingerprint, invocation.id, signal)
  if (found.kind === 'running') throw new Error('a key is settled when it is no longer running')
  if (found.kind !== 'first') return known(found)
  const [answer] = await acceptOwn(deps, [{ index: 0, submission, before: found.before }])
  return (answer as [number, KeyedAnswer])[1]
}

function known(found: Extract<Begun, { kind: 'done' | 'mismatch' }>): KeyedAnswer {
  if (found.kind === 'mismatch') return { error: keyReused(found.invocation) }
  return { id: found.invocation, response: found.response, isReplay: true }
}

export function keyReused(invocation: InvocationId): PlatformError {
  return new PlatformError('key-reused', {
    detail: 'expected the method, URL and body of the first request with this key: received others',
    members: { invocation },
  })
}

async function acceptOwn(deps: KeyedAcceptDeps, own: readonly Own[]): Promise<readonly [number, KeyedAnswer][]> {
  const resumed = await Promise.all(own.map(({ submission, before }) => resume(deps, submission, before)))
  const waiting = resumed.filter(({ state }) => state === 'waiting').map(({ invocation }) => invocation)
  const refusals = await acceptMany(deps, waiting)
  const refused = new Map(waiting.map((invocation, position) => [invocation.id, refusals[position]]))
  return Promise.all(
    own.map(async ({ index, submission }, position): Promise<[number, KeyedAnswer]> => {
      const { invocation, state } = resumed[position] as Resumed
      const refusal = typeof state === 'object' ? state : refused.get(invocation.id)
      return [index, await settle(deps, { ...submission, invocation }, refusal)]
    }),
  )
}

interface Resumed {
  readonly invocation: QueuedInvocation
  /** Still to be queued, accepted before, or not known. */
  readonly state: 'waiting' | 'accepted' | Refusal
}

/** Under the id of an earlier try. Its invocation may have begun: then it is not to be queued again. */
async function resume(
  { records }: KeyedAcceptDeps,
  { invocation }: KeyedSubmission,
  before: InvocationId | undefined,
): Promise<Resumed> {
  if (before === undefined) return { invocation, state: 'waiting' }
  const resumed = { ...invocation, id: before }
  try {
    const record = await records.get(before)
    return { invocation: resumed, state: record !== undefined && hasBegun(record) ? 'accepted' : 'waiting' }
  } catch (error) {
    return { invocation: resumed, state: { error: asPlatformError(error), mayRun: true } }
  }
}

async function settle(
  deps: KeyedAcceptDeps,
  { key, invocation, answer }: KeyedSubmission,
  refusal: Refusal | undefined,
): Promise<KeyedAnswer> {
  const { idempotency } = deps
  if (refusal === undefined) {
    const response = answer(invocation.id)
    // When it cannot be stored, the next one with the key finds the invocation by its id.
    await idempotency.finish(key, response).catch(() => {})
    return { id: invocation.id, response, isReplay: false }
  }
  if (refusal.mayRun) {
    await idempotency.doubt(key).catch(() => {})
  } else {
    // First the key: whoever finds it left behind takes an invocation that is over for one that was accepted.
    const isFree = await idempotency.abandon(key).catch(() => false)
    if (isFree) putDown(deps, invocation, refusal)
  }
  return { error: refusal.error }
}
