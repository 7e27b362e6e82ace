// A streamed body for a driver that takes less than the gateway lets in.
import type { PlatformError } from '#core/errors'
import type { Invocation } from '#core/invocation'
import { follow, type StopSignal, StopSource } from '#core/stop-signal'

export interface BodyLimit {
  readonly bytes: number
  /** What to say of a body over the limit. */
  readonly refusal: (received: number | 'more') => PlatformError
}

export interface CountedBody {
  /** The same, but its body fails when it is too large. */
  readonly invocation: Invocation
  /** Aborts with the caller's, and with the refusal when the body is too large. */
  readonly signal: StopSignal
}

export function countBody(invocation: Invocation, limit: BodyLimit, caller: StopSignal): CountedBody {
  const stop = new StopSource()
  follow(stop, caller)
  const { request } = invocation
  const body = counted(request.body as AsyncIterable<Uint8Array>, limit.bytes, () => {
    const error = limit.refusal('more')
    stop.abort(error)
    throw error
  })
  return { invocation: { ...invocation, request: { ...request, body } }, signal: stop }
}

async function* counted(
  body: AsyncIterable<Uint8Array>,
  most: number,
  refuse: () => never,
): AsyncGenerator<Uint8Array> {
  let bytes = 0
  for await (const chunk of body) {
    bytes += chunk.length
    if (bytes > most) refuse()
    yield chunk
  }
}
