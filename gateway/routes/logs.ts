// What functions wrote: of one invocation, of a function, and as it comes.
import { once } from 'node:events'

import type { FastifyInstance, FastifyReply } from 'fastify'

import { PlatformError } from '#core/errors'
import { parseFunctionName, parseInvocationId } from '#core/ids'
import type { FunctionName } from '#core/ids'
import type { StoredLogLine } from '#core/record'

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
import type { GatewayContext, Query } from './context.ts'
import { paramsOf, queryOf } from './context.ts'
import { parseLimit } from './invocations.ts'

const DEFAULT_LIMIT = 100
const MAX_LIMIT = 10_000
/** Keeps proxies from closing a quiet stream, and finds clients that are gone. */
const HEARTBEAT_MS = 15_000

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
      return streamLogs(context, { name, limit, reply, signal: request.cancel })
    },
  })
}

function parseFlag(name: string, value: Query[string]): boolean {
  if (value === undefined || value === 'false') return false
  if (value === 'true') return true
  throw new PlatformError('invalid-request', {
    detail: `${name} must be true or false: received ${JSON.stringify(value)}`,
  })
}

interface LogStream {
  readonly name: FunctionName
  readonly limit: number
  readonly reply: FastifyReply
  readonly signal: AbortSignal
}

/** Server-sent events, until the client or this instance goes. */
async function streamLogs(context: GatewayContext, { name, limit, reply, signal }: LogStream): Promise<void> {
  const { records, clock } = context.deps
  const ended = AbortSignal.any([signal, context.running.shutdown])
  // Listening begins before the past is read, so that no line falls between them.
  const coming = records.followLogs(name, ended)[Symbol.asyncIterator]()
  let next = coming.next()
  next.catch(() => {})
  const past = await records.logsOfFunction(name, limit)
  const res = reply.hijack().raw
  res.writeHead(200, { 'content-type': 'text/event-stream', 'cache-control': 'no-store', 'x-accel-buffering': 'no' })
  res.flushHeaders()
  const heartbeat = clock.every(HEARTBEAT_MS, () => res.write(': still here\n\n'))
  for (const line of past) res.write(eventOf(line))
  const seen = new Set(past.map(eventOf))
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

function eventOf(line: StoredLogLine): string {
  return `data: ${JSON.stringify(line)}\n\n`
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
