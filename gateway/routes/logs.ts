// What functions wrote: of one invocation, of a function, and as it comes.
import type { FastifyInstance } from 'fastify'

import { parseFunctionName, parseInvocationId } from '#core/ids'

import {
  integer,
  INVOCATION_ID,
  json,
  list,
  managed,
  media,
  NAME,
  object,
  queryParam,
  ref,
} from '../openapi/operation.ts'
import type { Operation } from '../openapi/operation.ts'
import type { GatewayContext } from './context.ts'
import { paramsOf, queryOf } from './context.ts'
import { streamEvents } from './event-stream.ts'
import { parseFlag, parseLimit } from './query.ts'

const DEFAULT_LIMIT = 100
const MAX_LIMIT = 10_000

export function logRoutes(app: FastifyInstance, context: GatewayContext): void {
  const { records } = context.deps
  app.get('/v1/invocations/:id/logs', {
    config: { openapi: OF_INVOCATION },
    handler: async (request) => ({ lines: await records.logsOf(parseInvocationId(paramsOf<'id'>(request).id)) }),
  })
  app.get('/v1/functions/:name/logs', {
    config: { openapi: OF_FUNCTION },
    handler: async (request, reply) => {
      const name = parseFunctionName(paramsOf<'name'>(request).name)
      const { limit: wanted, follow } = queryOf(request)
      const following = parseFlag('follow', follow)
      const limit = parseLimit(wanted, DEFAULT_LIMIT, MAX_LIMIT)
      await context.directory.resolve(name)
      if (!following) return { lines: await records.logsOfFunction(name, limit) }
      const source = {
        coming: (ended: AbortSignal) => records.followLogs(name, ended),
        past: () => records.logsOfFunction(name, limit),
      }
      return streamEvents(context, source, { reply, signal: request.cancel })
    },
  })
}

const LINE_EXAMPLE = {
  at: 1_795_000_000_010,
  stream: 'stdout',
  text: 'hello',
  function: 'hello-js',
  invocation: '019a9f3e-7c1d-7b6a-8f00-3a5d2c9e1b44',
}
const LINES = object({ lines: list(ref('LogLine')) })

const OF_INVOCATION: Operation = {
  tags: ['Invocations'],
  operationId: 'getInvocationLogs',
  summary: 'What a call wrote',
  parameters: [INVOCATION_ID],
  responses: { 200: json('Oldest first', LINES, { lines: [LINE_EXAMPLE] }), ...managed('invocation-not-found') },
}

const OF_FUNCTION: Operation = {
  tags: ['Invocations'],
  operationId: 'getFunctionLogs',
  summary: 'What a function wrote',
  description:
    'The newest lines, oldest first. With `follow=true` those as server-sent events, then every new line as it comes.',
  parameters: [
    NAME,
    queryParam('limit', integer('Newest lines', { minimum: 1, maximum: MAX_LIMIT, default: DEFAULT_LIMIT })),
    queryParam('follow', { type: 'boolean', default: false, description: 'Whether to stay and send what comes' }),
  ],
  responses: {
    200: media('Lines', { 'application/json': LINES, 'text/event-stream': { type: 'string' } }),
    ...managed('invalid-name', 'invalid-request', 'function-not-found'),
  },
}
