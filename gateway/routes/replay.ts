// POST /v1/invocations/{id}/replay: the same call again, as a new one.
import type { FastifyInstance } from 'fastify'

import { PlatformError } from '#core/errors'
import { parseInvocationId, parseVersionNumber } from '#core/ids'
import type { InvocationRecord, RecordInput } from '#core/record'

import { accept, putDown } from '../accept/accept.ts'
import { acceptedResponse } from '../accept/answer.ts'
import { defaultOptions } from '../accept/options.ts'
import { queuedInvocation } from '../accept/queued.ts'
import { originOf } from '../invoke/headers.ts'
import { integer, INVOCATION_ID, managed, object } from '../openapi/operation.ts'
import type { Operation } from '../openapi/operation.ts'
import type { GatewayContext } from './context.ts'
import { paramsOf } from './context.ts'
import { recordOf } from './invocations.ts'
import { parseBody } from './query.ts'
import { ACCEPTED, sendAccepted } from './submit.ts'

export function replayRoute(app: FastifyInstance, context: GatewayContext): void {
  app.post('/v1/invocations/:id/replay', {
    config: { openapi: REPLAY },
    handler: async (request, reply) => {
      const { deps, options } = context
      const record = await recordOf(context, parseInvocationId(paramsOf<'id'>(request).id))
      const input = inputOf(record)
      const wanted = parseVersion(request.body) ?? record.version
      const version = await context.directory.resolve(`${record.function}@${wanted}`)
      const { method, target } = record.request
      const body = Buffer.from(input.body, input.bodyEncoding)
      const origin = originOf(request.raw, options.trustProxy)
      const invocation = queuedInvocation(
        {
          version,
          request: { method, target, origin, headers: input.headers, body },
          options: defaultOptions(version.spec),
          ...causeOf(record),
        },
        deps.clock.now(),
      )
      const refusal = await accept(deps, invocation)
      if (refusal === undefined) return sendAccepted(reply, acceptedResponse(invocation, invocation.id))
      putDown(deps, invocation, refusal)
      throw refusal.error
    },
  })
}

/** The version of a body such as `{"version": 3}`. @throws PlatformError `invalid-request` */
export function parseVersion(body: unknown): number | undefined {
  const { version, ...others } = parseBody(body)
  const [unknown] = Object.keys(others)
  if (unknown !== undefined) {
    throw new PlatformError('invalid-request', {
      detail: `the body may have "version": received ${JSON.stringify(unknown.slice(0, 80))}`,
    })
  }
  if (version === undefined) return undefined
  if (typeof version === 'number') return parseVersionNumber(version)
  throw new PlatformError('invalid-request', {
    detail: `a version is a positive integer: received ${JSON.stringify(version).slice(0, 80)}`,
  })
}

/** The events stay, for what is left after a partial failure; the trigger does not wait for it. */
function causeOf({ id, trigger, cause }: InvocationRecord) {
  const events = cause?.events === undefined ? {} : { events: cause.events }
  return { trigger: trigger === 'event' ? trigger : 'async', cause: { ...events, replayOf: id } } as const
}

function inputOf({ id, state, trigger, input }: InvocationRecord): RecordInput {
  if (input !== undefined) return input
  throw new PlatformError('not-replayable', { detail: `the record of ${id} has no input: ${why()}` })

  function why(): string {
    if (trigger === 'http') return 'that of a call at a function URL is not kept'
    if (state === 'queued' || state === 'running') return `it is ${state}, and has one when it is over`
    if (state === 'cancelled') return 'it was cancelled while it waited'
    return 'it was larger than what a record keeps'
  }
}

const REPLAY: Operation = {
  tags: ['Invocations'],
  operationId: 'replayInvocation',
  summary: 'Make a call again',
  description: `Queues a new invocation with the input of one that is over: the same path, headers and body, on the
version that ran, or on another one. Its record says in \`cause.replayOf\` what it repeats.`,
  parameters: [INVOCATION_ID],
  requestBody: {
    content: { 'application/json': { schema: object({}, { version: integer('Default: the version that ran') }) } },
  },
  responses: {
    202: ACCEPTED,
    ...managed('invalid-request', 'invocation-not-found', 'function-not-found', 'version-not-found', 'not-replayable'),
  },
}
