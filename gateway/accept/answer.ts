// What a caller hears when an invocation is accepted, now or when it asks again.
import type { StoredResponse } from '#core/idempotency'
import type { InvocationId } from '#core/ids'
import type { QueuedInvocation } from '#core/queue'

/** @param id of the invocation; that of an earlier try may stand in for its own */
export function acceptedResponse(invocation: QueuedInvocation, id: InvocationId): StoredResponse {
  return {
    status: 202,
    headers: [
      ['content-type', ACCEPTED_TYPE],
      ['location', locationOf(id)],
    ],
    body: Buffer.from(acceptedText(invocation, id)),
  }
}

export const ACCEPTED_TYPE = 'application/json; charset=utf-8'

export function locationOf(id: InvocationId): string {
  return `/v1/invocations/${id}`
}

/** ASCII. */
export function acceptedText(invocation: QueuedInvocation, id: InvocationId): string {
  const { function: name, version, request, notBefore } = invocation
  const url = `${request.origin}${locationOf(id)}`
  return JSON.stringify({ id, function: name, version, state: 'queued', notBefore, url })
}
