// POST /v1/invocations/{id}/cancel: ends a call that waits or runs.
import type { FastifyInstance } from 'fastify'

import { PlatformError } from '#core/errors'
import { parseInvocationId } from '#core/ids'
import type { InvocationId } from '#core/ids'
import type { InvocationRecord } from '#core/record'

import { INVOCATION_ID, json, managed, object, string } from '../openapi/operation.ts'
import type { Operation } from '../openapi/operation.ts'
import type { GatewayContext } from './context.ts'
import { paramsOf } from './context.ts'
import { recordOf } from './invocations.ts'

export function cancelRoute(app: FastifyInstance, context: GatewayContext): void {
  app.post('/v1/invocations/:id/cancel', {
    config: { openapi: CANCEL },
    handler: async (request, reply) => {
      const id = parseInvocationId(paramsOf<'id'>(request).id)
      const state = await cancel(context, id)
      return reply.code(state === 'cancelled' ? 200 : 202).send({ id, state })
    },
  })
}

/** `cancelling`: it runs, and whoever runs it has been told. @throws PlatformError `not-cancellable` */
async function cancel(context: GatewayContext, id: InvocationId): Promise<'cancelled' | 'cancelling'> {
  if (context.running.cancel(id, cancelledByRequest())) return 'cancelling'
  const record = await recordOf(context, id)
  if (isFinal(record)) throw notCancellable(record)
  const found = await context.deps.lanes.cancel(record.function, id, async (takeovers) => {
    // Read again: until then it may have run, and what says less than is known of it would not be kept.
    const now = await recordOf(context, id)
    await saveCancelled(context, takeovers === 0 ? now : { ...now, redeliveries: takeovers })
  })
  if (found === 'told') return 'cancelling'
  if (found === 'removed') return 'cancelled'
  // It has just ended, or it never came into its lane.
  const now = await recordOf(context, id)
  if (isFinal(now)) throw notCancellable(now)
  await saveCancelled(context, now)
  return 'cancelled'
}

/** Of an invocation that nobody runs any more. */
async function saveCancelled({ deps }: GatewayContext, record: InvocationRecord): Promise<void> {
  const { code, message } = cancelledByRequest()
  await deps.records.save({ ...record, state: 'cancelled', finishedAt: deps.clock.now(), error: { code, message } })
}

function isFinal({ state }: InvocationRecord): boolean {
  return state !== 'queued' && state !== 'running'
}

function cancelledByRequest(): PlatformError {
  return new PlatformError('cancelled', { detail: 'the invocation was cancelled by request' })
}

function notCancellable({ id, state }: InvocationRecord): PlatformError {
  return new PlatformError('not-cancellable', {
    detail: `expected an invocation that is queued or running: ${id} is over (${state})`,
    members: { state },
  })
}

const ID_EXAMPLE = '019a9f3e-7c1d-7b6a-8f00-3a5d2c9e1b44'
const STATE = string('`cancelling`: it runs, and its record will say `cancelled`, unless it ends before', {
  enum: ['cancelled', 'cancelling'],
})
const CANCELLED = object({ id: string('', { format: 'uuid' }), state: STATE })

const CANCEL: Operation = {
  tags: ['Invocations'],
  operationId: 'cancelInvocation',
  summary: 'Cancel a call',
  description: `One that is queued does not run. One that runs, also with another process, is told to end: what it has
done by then is done. A cancelled call is not tried again and no dead letter. Calls at function URLs can be cancelled
at the instance that runs them.`,
  parameters: [INVOCATION_ID],
  responses: {
    200: json('Cancelled', CANCELLED, { id: ID_EXAMPLE, state: 'cancelled' }),
    202: json('It is being cancelled', CANCELLED, { id: ID_EXAMPLE, state: 'cancelling' }),
    ...managed('invocation-not-found', 'not-cancellable'),
  },
}
