// What an accepted asynchronous invocation is made of, as data. How it gets into its lane is in accept.ts.
import type { FunctionVersion } from '#core/function'
import { newInvocationId } from '#core/ids'
import type { Cause, QueuedInvocation, QueuedRequest } from '#core/queue'
import type { InvocationRecord } from '#core/record'

import type { SubmitOptions } from './options.ts'

export interface Submission {
  readonly version: FunctionVersion
  readonly request: QueuedRequest
  readonly options: SubmitOptions
  readonly trigger?: QueuedInvocation['trigger']
  readonly cause?: Cause
}

/** With an id of its own. @param now when it is accepted, ms since the epoch */
export function queuedInvocation(submission: Submission, now: number): QueuedInvocation {
  const { version, request, options, trigger = 'async', cause = {} } = submission
  const { notBefore, maxAgeMs, priority, retry } = options
  return {
    id: newInvocationId(),
    function: version.function,
    version: version.number,
    trigger,
    cause,
    request,
    acceptedAt: now,
    retry,
    priority,
    ...(notBefore === undefined ? {} : { notBefore }),
    // What was to wait has not become too old by that.
    ...(maxAgeMs === 0 ? {} : { expiresAt: (notBefore ?? now) + maxAgeMs }),
  }
}

/** Its first record. */
export function queuedRecord(invocation: QueuedInvocation): InvocationRecord {
  const { id, version, trigger, request, acceptedAt, cause, notBefore } = invocation
  return {
    id,
    function: invocation.function,
    version,
    trigger,
    state: 'queued',
    request: { method: request.method, target: request.target, bodyBytes: request.body.length },
    acceptedAt,
    attempts: [],
    ...(Object.keys(cause).length === 0 ? {} : { cause }),
    ...(notBefore === undefined ? {} : { notBefore }),
  }
}
