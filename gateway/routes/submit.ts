// POST /v1/functions/{name}/invocations: a call for later.
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'

import type { StoredResponse } from '#core/idempotency'
import { parseFunctionName } from '#core/ids'
import type { InvocationId } from '#core/ids'
import { checkHeaders } from '#core/limits'
import type { QueuedInvocation } from '#core/queue'

import { accept, putDown } from '../accept/accept.ts'
import { acceptedResponse } from '../accept/answer.ts'
import { parseOptions, SUBMIT_FIELDS } from '../accept/options.ts'
import { queuedInvocation } from '../accept/queued.ts'
import { fingerprintOf, functionScope, keyOf } from '../idempotency/fingerprint.ts'
import { acceptKeyed } from '../idempotency/keyed-accept.ts'
import type { KeyedAnswer } from '../idempotency/keyed-accept.ts'
import { REPLAY_HEADER } from '../idempotency/replay.ts'
import { forwardRequest } from '../invoke/headers.ts'
import { optionSchema } from '../openapi/components.ts'
import { IDEMPOTENCY_KEY, json, managed, NAME, queryParam, ref } from '../openapi/operation.ts'
import type { Operation } from '../openapi/operation.ts'
import type { GatewayContext } from './context.ts'
import { paramsOf, queryOf } from './context.ts'

export function submitRoute(app: FastifyInstance, context: GatewayContext): void {
  const { maxAsyncBodyBytes } = context.options
  app.post('/v1/functions/:name/invocations', {
    bodyLimit: maxAsyncBodyBytes,
    config: { openapi: SUBMIT, limit: 'HEARTH_MAX_ASYNC_BODY_BYTES' },
    handler: async (request, reply) => {
      const invocation = await read(context, request)
      const key = keyOf(request.raw)
      if (key !== undefined) return submitOnce(context, { request, reply, invocation }, key)
      const refusal = await accept(context.deps, invocation)
      if (refusal === undefined) return sendAccepted(reply, acceptedResponse(invocation, invocation.id))
      putDown(context.deps, invocation, refusal)
      throw refusal.error
    },
  })
}

/** @throws PlatformError */
async function read(context: GatewayContext, request: FastifyRequest): Promise<QueuedInvocation> {
  const { options, deps, directory } = context
  const version = await directory.resolve(parseFunctionName(paramsOf<'name'>(request).name))
  const now = deps.clock.now()
  const { target, ...wanted } = parseOptions(queryOf(request), version.spec, now)
  // The token in it was for this API.
  const { origin, headers } = forwardRequest(request.raw, { trustProxy: options.trustProxy, hideAuthorization: true })
  checkHeaders(headers, options)
  const body = (request.body ?? new Uint8Array(0)) as Uint8Array
  return queuedInvocation({ version, request: { method: 'POST', target, origin, headers, body }, options: wanted }, now)
}

interface Submitting {
  readonly request: FastifyRequest
  readonly reply: FastifyReply
  readonly invocation: QueuedInvocation
}

async function submitOnce(
  { deps }: GatewayContext,
  { request, reply, invocation }: Submitting,
  key: string,
): Promise<FastifyReply> {
  const submission = {
    invocation,
    key: { scope: functionScope(invocation.function), key },
    fingerprint: fingerprintOf('POST', request.url, invocation.request.body),
    answer: (id: InvocationId) => acceptedResponse(invocation, id),
  }
  const [answer] = (await acceptKeyed(deps, [submission], request.cancel)) as [KeyedAnswer]
  if ('error' in answer) throw answer.error
  if (answer.isReplay) reply.header(REPLAY_HEADER, 'true')
  return sendAccepted(reply, answer.response)
}

export function sendAccepted(reply: FastifyReply, { status, headers, body }: StoredResponse): FastifyReply {
  for (const [name, value] of headers) reply.header(name, value)
  return reply.code(status).send(body)
}

const ID_EXAMPLE = '019a9f3e-7c1d-7b6a-8f00-3a5d2c9e1b44'

export const ACCEPTED = json('Queued', ref('Accepted'), {
  id: ID_EXAMPLE,
  function: 'hello-js',
  version: 3,
  state: 'queued',
  url: `http://127.0.0.1:8787/v1/invocations/${ID_EXAMPLE}`,
})

const SUBMIT: Operation = {
  tags: ['Call'],
  operationId: 'submitInvocation',
  summary: 'Call a function later',
  description: `Queues the call and answers at once; it outlives a restart and is tried again when it fails. The function
gets the headers and the body as a POST. What comes of it is in the record at \`url\`. After a 503 whose \`invocation\` is
set it is not known whether it was queued; sending it again with the same \`Idempotency-Key\` queues it once.`,
  parameters: [
    NAME,
    IDEMPOTENCY_KEY,
    ...Object.entries(SUBMIT_FIELDS).map(([name, field]) => queryParam(name, optionSchema(field))),
  ],
  requestBody: { content: { '*/*': { schema: { type: 'string', format: 'binary' } } } },
  responses: {
    202: ACCEPTED,
    ...managed(
      'invalid-name',
      'invalid-request',
      'function-not-found',
      'key-reused',
      'payload-too-large',
      'too-many-headers',
    ),
  },
}
