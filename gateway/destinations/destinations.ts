// Tells destinations what came of asynchronous invocations, once; whoever holds the delivery tries again (invoker/async).
// Knows nothing of when something is to be told.
import type { Clock } from '#core/clock'
import type { Delivery, Destinations, JobQueues, Outbound } from '#core/destination'
import { PlatformError } from '#core/errors'
import type { CloudEvent } from '#core/event'
import type { FunctionVersion } from '#core/function'
import type { FunctionName, InvocationId } from '#core/ids'

import { defaultOptions } from '../accept/options.ts'
import { queuedInvocation } from '../accept/queued.ts'
import { binaryRequest, structuredRequest } from '../cloud-events/http.ts'
import { eventToJson } from '../cloud-events/json.ts'
import { fingerprintOf, functionScope } from '../idempotency/fingerprint.ts'
import { acceptKeyed, type KeyedAcceptDeps } from '../idempotency/keyed-accept.ts'
import { INTERNAL_ORIGIN } from '../triggers/request.ts'
import { signatureHeaders } from './signature.ts'
import { deliveryId, emittedEvents, hopsOf, MAX_HOPS, toldEvent } from './told-event.ts'

export interface DestinationDeps extends KeyedAcceptDeps {
  readonly clock: Clock
  readonly queues: JobQueues
  readonly outbound: Outbound
  /** `whsec_…`: what posts to URLs are signed with. */
  readonly signingSecret: string
  /** Live version of a function. @throws PlatformError `function-not-found` */
  readonly live: (name: FunctionName) => FunctionVersion | Promise<FunctionVersion>
  /** Hands events to the bus; durable when it resolves. */
  readonly publish: (events: readonly CloudEvent[]) => Promise<unknown>
}

/** Longest wait for the answer of a URL, ms. */
const POST_TIMEOUT_MS = 30_000

export function createDestinations(deps: DestinationDeps): Destinations {
  return {
    async deliver(id, delivery, signal) {
      if (hopsOf(delivery.record) >= MAX_HOPS) throw goesRound(id)
      const { destination } = delivery
      switch (destination.kind) {
        case 'function':
          return invoke(deps, destination.name, delivery, signal)
        case 'queue': {
          const event = toldEvent(delivery)
          const job = { id: deliveryId(delivery), name: event.attributes.type, data: JSON.parse(eventToJson(event)) }
          return deps.queues.add(destination.name, job)
        }
        case 'events':
          await deps.publish(emittedEvents(delivery))
          return undefined
        case 'url':
          return post(deps, destination.url, delivery, signal)
        default:
          return destination satisfies never
      }
    },
  }
}

/** The key makes it one invocation, however often the delivery is tried. */
async function invoke(
  deps: DestinationDeps,
  name: FunctionName,
  delivery: Delivery,
  signal: AbortSignal,
): Promise<void> {
  const version = await deps.live(name)
  const { headers, body } = binaryRequest(toldEvent(delivery))
  const request = { method: 'POST', target: '/', origin: INTERNAL_ORIGIN, headers, body }
  const cause = { destinationOf: delivery.record.id, hops: hopsOf(delivery.record) + 1 }
  const invocation = queuedInvocation(
    { version, request, options: defaultOptions(version.spec), cause },
    deps.clock.now(),
  )
  const key = { scope: functionScope(name), key: `destination:${deliveryId(delivery)}` }
  const fingerprint = fingerprintOf('POST', '/', body)
  const [answer] = await acceptKeyed(deps, [{ key, fingerprint, invocation, answer: acceptedAs }], signal)
  if (answer !== undefined && 'error' in answer) throw answer.error
}

function acceptedAs(id: InvocationId): { status: number; headers: []; body: Uint8Array } {
  return { status: 202, headers: [], body: Buffer.from(id) }
}

async function post(deps: DestinationDeps, url: string, delivery: Delivery, signal: AbortSignal): Promise<void> {
  const { clock, outbound, signingSecret } = deps
  const { headers, body } = structuredRequest(toldEvent(delivery))
  const signed = [...headers, ...signatureHeaders(signingSecret, deliveryId(delivery), body, clock.now())]
  const timeout = new AbortController()
  const late = (): void => timeout.abort(new Error(`it did not answer within ${POST_TIMEOUT_MS} ms`))
  using _timer = clock.after(POST_TIMEOUT_MS, late)
  const either = AbortSignal.any([signal, timeout.signal])
  const { status } = await outbound
    .post({ url, headers: signed, body }, await egressOf(deps, delivery.record.function), either)
    .catch((error: unknown) => {
      throw refused(url, timeout.signal.aborted ? (timeout.signal.reason as Error) : (error as Error))
    })
  if (status >= 200 && status < 300) return
  throw refused(url, new Error(`expected a status of 200 to 299, received ${status}`))
}

/** That of the function whose invocation it was; when it is gone, only public addresses are left. */
async function egressOf({ live }: DestinationDeps, name: FunctionName): Promise<readonly string[]> {
  try {
    return (await live(name)).spec.egress
  } catch {
    return []
  }
}

function refused(url: string, cause: Error): PlatformError {
  return new PlatformError('delivery-failed', { detail: `${new URL(url).origin}: ${cause.message}`, cause })
}

function goesRound(id: InvocationId): PlatformError {
  return new PlatformError('invalid-request', {
    detail: `events may go through at most ${MAX_HOPS} destinations: ${id} is the end of so many, so functions tell each other in a circle`,
  })
}
