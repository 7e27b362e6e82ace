// /v1/invocations: what became of calls.
import type { FastifyInstance } from 'fastify'

import { PlatformError } from '#core/errors'
import { parseFunctionName, parseInvocationId, parseTriggerName } from '#core/ids'
import type { InvocationId } from '#core/ids'
import { RECORD_STATES } from '#core/record'
import type { InvocationRecord, RecordFilter } from '#core/record'

import { parseTime } from '../accept/options.ts'
import { INVOCATION_ID, integer, json, list, managed, media, object, queryParam, ref } from '../openapi/operation.ts'
import type { Operation } from '../openapi/operation.ts'
import type { GatewayContext, Query } from './context.ts'
import { paramsOf, queryOf } from './context.ts'
import { streamEvents } from './event-stream.ts'
import { parseChoices, parseFlag, parseLimit } from './query.ts'

const DEFAULT_LIMIT = 50
const MAX_LIMIT = 500

export function invocationRoutes(app: FastifyInstance, context: GatewayContext): void {
  const { records } = context.deps
  app.get('/v1/invocations/:id', {
    config: { openapi: GET },
    handler: async (request) => {
      const withInput = parseFlag('input', queryOf(request).input)
      const record = await recordOf(context, parseInvocationId(paramsOf<'id'>(request).id))
      return withInput ? record : withoutInput(record)
    },
  })
  app.get('/v1/invocations', {
    config: { openapi: LIST },
    handler: async (request, reply) => {
      const query = queryOf(request)
      const filter = parseFilter(query)
      if (!parseFlag('follow', query.follow)) {
        const { records: found, ...page } = await records.list(filter)
        return { records: found.map(withoutInput), ...page }
      }
      const source = {
        coming: (ended: AbortSignal) => shown(records.follow(filter, ended)),
        past: async () => (await records.list(filter)).records.map(withoutInput).toReversed(),
      }
      return streamEvents(context, source, { reply, signal: request.cancel })
    },
  })
}

/** @throws PlatformError `invocation-not-found` */
export async function recordOf({ deps }: GatewayContext, id: InvocationId): Promise<InvocationRecord> {
  const record = await deps.records.get(id)
  if (record !== undefined) return record
  throw new PlatformError('invocation-not-found', { detail: `no invocation has the id ${JSON.stringify(id)}` })
}

function withoutInput(record: InvocationRecord): InvocationRecord {
  if (record.input === undefined) return record
  const { input: _, ...rest } = record
  return rest
}

async function* shown(records: AsyncIterable<InvocationRecord>): AsyncGenerator<InvocationRecord> {
  for await (const record of records) yield withoutInput(record)
}

function parseFilter(query: Query): RecordFilter {
  const { function: name, trigger, since, before, limit, cursor } = query
  const state = parseChoices('state', query.state, RECORD_STATES)
  return {
    limit: parseLimit(limit, DEFAULT_LIMIT, MAX_LIMIT),
    ...(name === undefined ? {} : { function: parseFunctionName(String(name)) }),
    ...(state === undefined ? {} : { state }),
    ...(trigger === undefined ? {} : { trigger: parseTriggerName(String(trigger)) }),
    ...(since === undefined ? {} : { since: parseTime('since', since) }),
    ...(before === undefined ? {} : { before: parseTime('before', before) }),
    ...(cursor === undefined ? {} : { cursor: String(cursor) }),
  }
}

export const RECORD_EXAMPLE = {
  id: '019a9f3e-7c1d-7b6a-8f00-3a5d2c9e1b44',
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

const GET: Operation = {
  tags: ['Invocations'],
  operationId: 'getInvocation',
  summary: 'What became of a call',
  parameters: [
    INVOCATION_ID,
    queryParam('input', { type: 'boolean', default: false, description: 'Whether to show what it was called with' }),
  ],
  responses: {
    200: json('Its record', ref('Invocation'), RECORD_EXAMPLE),
    ...managed('invalid-request', 'invocation-not-found'),
  },
}

const TIME = { oneOf: [{ type: 'integer' }, { type: 'string', format: 'date-time' }] }
const PAGE = object({ records: list(ref('Invocation')) }, { next: { type: 'string' } })

const LIST: Operation = {
  tags: ['Invocations'],
  operationId: 'listInvocations',
  summary: 'List records',
  description: `Newest first, in pages. With \`follow=true\` the newest as server-sent events, oldest first, then every
record as it changes.`,
  parameters: [
    queryParam('function', { type: 'string', description: 'Only of this function' }),
    queryParam('state', {
      ...list({ type: 'string', enum: RECORD_STATES }),
      description: 'Only in one of these states; with commas',
    }),
    queryParam('trigger', { type: 'string', description: 'Only of this trigger' }),
    queryParam('since', { ...TIME, description: 'Accepted at or after: RFC 3339 or ms since the epoch' }),
    queryParam('before', { ...TIME, description: 'Accepted before: RFC 3339 or ms since the epoch' }),
    queryParam('limit', integer('Records a page', { minimum: 1, maximum: MAX_LIMIT, default: DEFAULT_LIMIT })),
    queryParam('cursor', { type: 'string', description: '`next` of the page before' }),
    queryParam('follow', { type: 'boolean', default: false, description: 'Whether to stay and send what comes' }),
  ],
  responses: {
    200: media('Records', { 'application/json': PAGE, 'text/event-stream': { type: 'string' } }),
    ...managed('invalid-name', 'invalid-request'),
  },
}
