// Whom to tell what came of an asynchronous invocation, and the seam to whoever tells it (gateway/destinations).
import { PlatformError } from './errors.ts'
import type { FunctionName, InvocationId } from './ids.ts'
import { parseFunctionName } from './ids.ts'
import type { HeaderList } from './invocation.ts'
import type { InvocationRecord } from './record.ts'

/**
 * `function`: an invocation of it. `queue`: a job in a BullMQ queue of the store's Redis. `events`: the event bus.
 * `url`: a signed POST.
 */
export type Destination =
  | { readonly kind: 'function'; readonly name: FunctionName }
  | { readonly kind: 'queue'; readonly name: string }
  | { readonly kind: 'events' }
  | { readonly kind: 'url'; readonly url: string }

/** What waits in a delivery lane: the request of the queued invocation is the input of the call it tells about. */
export interface Delivery {
  readonly on: 'success' | 'failure'
  readonly destination: Destination
  /** Of the finished invocation, with its result. */
  readonly record: InvocationRecord
}

/** What became of a delivery; kept in the record of the invocation that it is about. */
export interface DeliveryNote {
  readonly on: Delivery['on']
  /** As in the spec: `function:notify`, `https://…`. */
  readonly destination: string
  readonly state: 'pending' | 'delivered' | 'failed'
  readonly attempts: number
  /** ms since the epoch */
  readonly at: number
  readonly error?: string
}

export interface Destinations {
  /**
   * Tells it once. Resolves when the other side has it durably or has said yes.
   * @throws PlatformError; `retryable` ones are tried again with the retry policy of deliveries
   */
  deliver(id: InvocationId, delivery: Delivery, signal: AbortSignal): Promise<void>
}

/** Jobs for workers of the user's. Implemented in store/ on BullMQ. */
export interface JobQueues {
  /** Adding the same id to a queue twice adds once, while the first is there. @throws PlatformError `store-unavailable` */
  add(queue: string, job: { readonly id: string; readonly name: string; readonly data: unknown }): Promise<void>
}

/** The way out to the network, which keeps to egress rules. */
export interface Outbound {
  /**
   * @param egress as in a function's spec: what may be reached although it is not public
   * @throws Error that says why there was no answer, fit for the user
   */
  post(
    request: { readonly url: string; readonly headers: HeaderList; readonly body: Uint8Array },
    egress: readonly string[],
    signal: AbortSignal,
  ): Promise<{ readonly status: number }>
}

const QUEUE_NAME = /^[A-Za-z0-9_.-]{1,128}$/

/**
 * Reads `function:<name>`, `queue:<name>`, `events` or an http(s) URL.
 * @throws PlatformError `invalid-request`
 */
export function parseDestination(text: string): Destination {
  const separator = text.indexOf(':')
  const [scheme, rest] = separator < 0 ? [text, ''] : [text.slice(0, separator), text.slice(separator + 1)]
  if (text === 'events') return { kind: 'events' }
  if (scheme === 'function') return { kind: 'function', name: parseFunctionName(rest) }
  if (scheme === 'queue' && QUEUE_NAME.test(rest)) return { kind: 'queue', name: rest }
  if ((scheme === 'https' || scheme === 'http') && URL.canParse(text) && new URL(text).username === '') {
    return { kind: 'url', url: text }
  }
  throw new PlatformError('invalid-request', {
    detail: `a destination is function:<name>, queue:<name>, events, or an http(s) URL without credentials: received ${JSON.stringify(text.slice(0, 200))}`,
  })
}

export function formatDestination(destination: Destination): string {
  switch (destination.kind) {
    case 'events':
      return 'events'
    case 'url':
      return destination.url
    case 'function':
    case 'queue':
      return `${destination.kind}:${destination.name}`
    default:
      return destination satisfies never
  }
}
