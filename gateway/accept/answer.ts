// What a caller hears when an invocation is accepted, now or when it asks again.
import type { StoredResponse } from '#core/idempotency'
import type { InvocationId } from '#core/ids'
import type { QueuedInvocation } from '#core/queue'

/** @param id of the invocation; that of an earlier try may stand in for its own */
export function acceptedResponse(invocation: QueuedInvocation, id: InvocationId): StoredResponse {
  const { function: name, version, request, notBefore } = invocation
  const path = `/v1/invocations/${id}`
  const url = `${request.origin}${path}`
  return {
    status: 202,
    headers: [
      ['content-type', 'application/json; charset=utf-8'],
      ['location', path],
    ],
    body: Buffer.from(JSON.stringify({ id, function: name, version, state: 'queued', notBefore, url })),
  }
}
