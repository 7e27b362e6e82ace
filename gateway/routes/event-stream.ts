// Server-sent events: what there is, then what comes, until the client or this instance goes.
import { once } from 'node:events'

import type { FastifyReply } from 'fastify'

import type { GatewayContext } from './context.ts'

/** Keeps proxies from closing a quiet stream, and finds clients that are gone. */
const HEARTBEAT_MS = 15_000

export interface EventSource<T> {
  /** Begins to listen at once. */
  readonly coming: (ended: AbortSignal) => AsyncIterable<T>
  /** Read after listening has begun, so that nothing falls between; oldest first. */
  readonly past: () => Promise<readonly T[]>
}

/** @param signal aborts when the client has gone */
export async function streamEvents<T>(
  context: GatewayContext,
  { coming: listen, past: read }: EventSource<T>,
  { reply, signal }: { readonly reply: FastifyReply; readonly signal: AbortSignal },
): Promise<void> {
  const ended = AbortSignal.any([signal, context.running.shutdown])
  const coming = listen(ended)[Symbol.asyncIterator]()
  let next = coming.next()
  next.catch(() => {})
  const past = (await read()).map(eventOf)
  const res = reply.hijack().raw
  res.writeHead(200, { 'content-type': 'text/event-stream', 'cache-control': 'no-store', 'x-accel-buffering': 'no' })
  res.flushHeaders()
  const heartbeat = context.deps.clock.every(HEARTBEAT_MS, () => res.write(': still here\n\n'))
  for (const event of past) res.write(event)
  const seen = new Set(past)
  try {
    for (let step = await next; step.done !== true; step = await next) {
      const event = eventOf(step.value)
      if (!seen.delete(event) && !res.write(event)) await once(res, 'drain', { signal: ended })
      next = coming.next()
    }
  } catch (error) {
    if (!ended.aborted) context.deps.onFault(error, reply.request.id)
  } finally {
    heartbeat[Symbol.dispose]()
  }
  res.end()
}

function eventOf(value: unknown): string {
  return `data: ${JSON.stringify(value)}\n\n`
}
