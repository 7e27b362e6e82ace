// /healthz: the process lives. /readyz: it can take calls.
import type { FastifyInstance } from 'fastify'

import type { Clock } from '#core/clock'
import { PlatformError } from '#core/errors'

import { json, list, object, OPEN, problems, string } from '../openapi/operation.ts'
import { shuttingDown } from '../running.ts'
import type { GatewayContext } from './context.ts'

/** A store that takes longer than this to say something is not there for callers either. */
const PING_MS = 2000

const DRIVERS = list(
  object(
    { name: string('Driver'), on: { type: 'boolean' } },
    { detail: string('When on'), reason: string('When off') },
  ),
)

export function healthRoutes(app: FastifyInstance, context: GatewayContext): void {
  app.get('/healthz', {
    config: {
      openapi: {
        tags: ['Platform'],
        operationId: 'health',
        summary: 'Whether the process lives',
        security: OPEN,
        responses: { 200: json('It does', object({ status: string('') }), { status: 'ok' }) },
      },
    },
    handler: async () => ({ status: 'ok' }),
  })
  app.get('/readyz', {
    config: {
      openapi: {
        tags: ['Platform'],
        operationId: 'readiness',
        summary: 'Whether it can take calls',
        description: 'The store answers and this instance is not shutting down. A driver that is off says why.',
        security: OPEN,
        responses: {
          200: json('It can', object({ status: string(''), drivers: DRIVERS }), {
            status: 'ready',
            drivers: [{ name: 'docker', on: false, reason: 'no daemon at /var/run/docker.sock' }],
          }),
          ...problems('store-unavailable', 'shutting-down'),
        },
      },
    },
    handler: async () => {
      if (context.running.draining) throw shuttingDown()
      await pingWithin(PING_MS, context.deps.ping, context.deps.clock)
      return { status: 'ready', drivers: context.deps.invoker.drivers() }
    },
  })
}

async function pingWithin(ms: number, ping: (signal: AbortSignal) => Promise<void>, clock: Clock): Promise<void> {
  const limit = new AbortController()
  const late = Promise.withResolvers<never>()
  const timer = clock.after(ms, () => {
    const error = new Error(`no answer within ${ms} ms`)
    limit.abort(error)
    late.reject(error)
  })
  try {
    await Promise.race([ping(limit.signal), late.promise])
  } catch (cause) {
    throw new PlatformError('store-unavailable', { detail: 'the store does not answer', cause })
  } finally {
    timer[Symbol.dispose]()
  }
}
