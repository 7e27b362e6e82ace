// What the record of a queued invocation says while it is served. Pure.
import type { Claim, QueuedInvocation } from '#core/queue'
import type { Attempt, InvocationRecord, RecordError, RecordInput, RecordState } from '#core/record'

import { keptBody } from './kept-body.ts'

/** What is known of the attempts: those before this one, and this one, where there is one. */
export interface Progress {
  readonly prior: readonly Attempt[]
  readonly current?: Attempt
}

/** @param invocation what the claim holds, or what a partial failure left of it */
export function accountOf(
  { takeovers }: Pick<Claim, 'takeovers'>,
  invocation: QueuedInvocation,
  state: RecordState,
  { prior, current }: Progress,
): InvocationRecord {
  const { id, function: name, version, trigger, cause, request, acceptedAt, notBefore } = invocation
  return {
    id,
    function: name,
    version,
    trigger,
    state,
    request: { method: request.method, target: request.target, bodyBytes: request.body.length },
    acceptedAt,
    attempts: current === undefined ? prior : [...prior, current],
    ...(isEmpty(cause) ? {} : { cause }),
    ...(notBefore === undefined ? {} : { notBefore }),
    ...(takeovers === 0 ? {} : { redeliveries: takeovers }),
  }
}

/** For a replay; undefined when it is too large to be kept. */
export function inputOf({ request }: QueuedInvocation, maxBytes: number): RecordInput | undefined {
  if (request.body.length > maxBytes) return undefined
  return { headers: request.headers, ...keptBody(request.body) }
}

/** Those before this one; one that seems to be running was cut short by the end of its process. */
export function priorAttempts(record: InvocationRecord | undefined, attempt: number): readonly Attempt[] {
  const error: RecordError = { code: 'internal', message: 'the process that ran the attempt ended' }
  return (record?.attempts ?? [])
    .filter(({ number }) => number < attempt)
    .map((each) => (each.state === 'running' ? { ...each, state: 'failed', error } : each))
}

export function isFinal(state: RecordState): boolean {
  return state !== 'queued' && state !== 'running'
}

function isEmpty(object: object): boolean {
  for (const _ in object) return false
  return true
}
