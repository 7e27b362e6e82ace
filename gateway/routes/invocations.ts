// /v1/functions/{name}/invocations and /v1/invocations: calls for later, and what became of calls.
import type { FastifyInstance, FastifyRequest } from 'fastify'

import { PlatformError } from '#core/errors'
import type { FunctionVersion } from '#core/function'
import { newInvocationId, parseFunctionName, parseInvocationId } from '#core/ids'
import { checkHeaders } from '#core/limits'
import type { QueuedInvocation } from '#core/queue'
import { RECORD_STATES } from '#core/record'
import type { InvocationRecord, RecordState } from '#core/record'

import { forwardRequest, originOf } from '../invoke/headers.ts'
import { INVOCATION_ID, integer, json, list, managed, NAME, object, queryParam, ref } from '../openapi/operation.ts'
import type { Operation } from '../openapi/operation.ts'
import type { GatewayContext, Query } from './context.ts'
import { paramsOf, queryOf } from './context.ts'

const DEFAULT_LIMIT = 50
const MAX_LIMIT = 500
const ID_EXAMPLE = '019a9f3e-7c1d-7b6a-8f00-3a5d2c9e1b44'

export function invocationRoutes(app: FastifyInstance, context: GatewayContext): void {
  submitRoute(app, context)
  const { records } = context.deps
  app.get('/v1/invocations/:id', {
    config: { openapi: GET },
    handler: async (request) => {
      const id = parseInvocationId(paramsOf<'id'>(request).id)
      const record = await records.get(id)
      if (record !== undefined) return record
      throw new PlatformError('invocation-not-found', { detail: `no invocation has the id ${JSON.stringify(id)}` })
    },
  })
  app.get('/v1/invocations', {
    config: { openapi: LIST },
    handler: async (request) => {
      const { function: name, state, limit, cursor } = queryOf(request)
      return records.list({
        limit: parseLimit(limit, DEFAULT_LIMIT, MAX_LIMIT),
        ...(name === undefined ? {} : { function: parseFunctionName(String(name)) }),
        ...(state === undefined ? {} : { state: parseState(state) }),
        ...(cursor === undefined ? {} : { cursor: String(cursor) }),
      })
    },
  })
}

function submitRoute(app: FastifyInstance, context: GatewayContext): void {
  const { maxAsyncBodyBytes } = context.options
  app.post('/v1/functions/:name/invocations', {
    bodyLimit: maxAsyncBodyBytes,
    config: { openapi: SUBMIT, limit: 'HEARTH_MAX_ASYNC_BODY_BYTES' },
    handler: async (request, reply) => {
      const { name } = paramsOf<'name'>(request)
      const version = await context.directory.resolve(parseFunctionName(name))
      const invocation = queuedInvocation(context, request, version)
      await submit(context, invocation)
      const url = `/v1/invocations/${invocation.id}`
      reply.code(202).header('location', url)
      const origin = originOf(request.raw, context.options.trustProxy)
      return { id: invocation.id, function: name, version: version.number, state: 'queued', url: `${origin}${url}` }
    },
  })
}

function queuedInvocation(
  context: GatewayContext,
  request: FastifyRequest,
  version: FunctionVersion,
): QueuedInvocation {
  const { options, deps } = context
  // The token in it was for this API.
  const { origin, headers } = forwardRequest(request.raw, { trustProxy: options.trustProxy, hideAuthorization: true })
  checkHeaders(headers, options)
  const body = (request.body ?? new Uint8Array(0)) as Uint8Array
  return {
    id: newInvocationId(),
    function: version.function,
    version: version.number,
    request: { method: 'POST', target: parsePath(queryOf(request).path), origin, headers, body },
    acceptedAt: deps.clock.now(),
    maxAttempts: version.spec.maxAttempts,
  }
}

/**
 * The record and the place in the lane are written together: the store lets no `queued` stand in the way of what an
 * invoker writes meanwhile. Being in the lane is what counts, so when that fails the record says so.
 * @throws PlatformError `store-unavailable`
 */
async function submit(context: GatewayContext, invocation: QueuedInvocation): Promise<void> {
  const { records, lanes } = context.deps
  const { request, id, version, acceptedAt } = invocation
  const record: InvocationRecord = {
    id,
    function: invocation.function,
    version,
    trigger: 'async',
    state: 'queued',
    request: { method: request.method, target: request.target, bodyBytes: request.body.length },
    acceptedAt,
    attempts: [],
  }
  const [saved, added] = await Promise.allSettled([records.save(record), lanes.add(invocation)])
  if (added.status === 'rejected') throw notQueued(context, record, added.reason)
  if (saved.status === 'rejected') throw asUnavailable(saved.reason)
}

/** Puts the failure down. */
function notQueued({ deps }: GatewayContext, record: InvocationRecord, cause: unknown): PlatformError {
  const error = asUnavailable(cause)
  const { code, message } = error
  deps.records.write({ ...record, state: 'failed', finishedAt: deps.clock.now(), error: { code, message } })
  return error
}

function asUnavailable(cause: unknown): PlatformError {
  if (cause instanceof PlatformError) return cause
  return new PlatformError('store-unavailable', { detail: 'the invocation could not be queued', cause })
}

function parsePath(value: Query[string]): string {
  if (value === undefined) return '/'
  // A path that could break out of the request line is refused, nothing else is interpreted.
  if (typeof value === 'string' && /^\/[\x21-\x7e]*$/.test(value)) return value
  throw new PlatformError('invalid-request', {
    detail: `path must start with "/" and be percent-encoded: received ${JSON.stringify(value)}`,
  })
}

/** @throws PlatformError `invalid-request` */
export function parseLimit(value: Query[string], preset: number, maximum: number): number {
  if (value === undefined) return preset
  const number = typeof value === 'string' && /^\d+$/.test(value) ? Number(value) : Number.NaN
  if (number >= 1 && number <= maximum) return number
  throw new PlatformError('invalid-request', {
    detail: `limit must be an integer in [1, ${maximum}]: received ${JSON.stringify(value)}`,
  })
}

function parseState(value: Query[string]): RecordState {
  const state = RECORD_STATES.find((known) => known === value)
  if (state !== undefined) return state
  throw new PlatformError('invalid-request', {
    detail: `state must be one of ${RECORD_STATES.join(', ')}: received ${JSON.stringify(value)}`,
  })
}

const RECORD_EXAMPLE = {
  id: ID_EXAMPLE,
  function: 'hello-js',
  version: 3,
  trigger: 'async',
  state: 'succeeded',
  request: { method: 'POST', target: '/', bodyBytes: 5 },
  acceptedAt: 1_795_000_000_000,
  finishedAt: 1_795_000_000_042,
  attempts: [
    {
      number: 1,
      startedAt: 1_795_000_000_003,
      finishedAt: 1_795_000_000_042,
      state: 'succeeded',
      start: 'cold',
      timings: { queueMs: 0, startMs: 31.4, runMs: 6.2 },
    },
  ],
  result: { status: 200, headers: [['content-type', 'text/plain']], bodyBytes: 5, body: 'LATER', bodyEncoding: 'utf8' },
}

const SUBMIT: Operation = {
  tags: ['Call'],
  operationId: 'submitInvocation',
  summary: 'Call a function later',
  description: `Queues the call and answers at once; it outlives a restart and is tried again when it fails. The function
gets the headers and the body as a POST. What comes of it is in the record at \`url\`.`,
  parameters: [
    NAME,
    queryParam('path', { type: 'string', default: '/', description: 'Path and query for the function' }),
  ],
  requestBody: { content: { '*/*': { schema: { type: 'string', format: 'binary' } } } },
  responses: {
    202: json('Queued', ref('Accepted'), {
      id: ID_EXAMPLE,
      function: 'hello-js',
      version: 3,
      state: 'queued',
      url: `http://127.0.0.1:8787/v1/invocations/${ID_EXAMPLE}`,
    }),
    ...managed('invalid-name', 'invalid-request', 'function-not-found', 'payload-too-large', 'too-many-headers'),
  },
}

const GET: Operation = {
  tags: ['Invocations'],
  operationId: 'getInvocation',
  summary: 'What became of a call',
  parameters: [INVOCATION_ID],
  responses: { 200: json('Its record', ref('Invocation'), RECORD_EXAMPLE), ...managed('invocation-not-found') },
}

const LIST: Operation = {
  tags: ['Invocations'],
  operationId: 'listInvocations',
  summary: 'List records',
  parameters: [
    queryParam('function', { type: 'string', description: 'Only of this function' }),
    queryParam('state', { type: 'string', enum: RECORD_STATES, description: 'Only in this state' }),
    queryParam('limit', integer('Records a page', { minimum: 1, maximum: MAX_LIMIT, default: DEFAULT_LIMIT })),
    queryParam('cursor', { type: 'string', description: '`next` of the page before' }),
  ],
  responses: {
    200: json('Newest first', object({ records: list(ref('Invocation')) }, { next: { type: 'string' } }), {
      records: [RECORD_EXAMPLE],
    }),
    ...managed('invalid-request'),
  },
}
