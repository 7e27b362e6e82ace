// /v1/functions/{name}/dead-letters: what failed for good, until someone has looked at it.
import { isUtf8 } from 'node:buffer'

import type { FastifyInstance, FastifyRequest } from 'fastify'

import type { DeadLetter } from '#core/dead-letter'
import { PlatformError } from '#core/errors'
import { parseFunctionName, parseInvocationId } from '#core/ids'
import type { FunctionName } from '#core/ids'
import type { QueuedRequest } from '#core/queue'
import type { RecordInput } from '#core/record'

import { functionNotFound } from '../directory.ts'
import { redriveAll, redriveOne } from '../redrive.ts'
import { integer, INVOCATION_ID, json, list, managed, NAME, object, queryParam, ref } from '../openapi/operation.ts'
import type { Operation } from '../openapi/operation.ts'
import type { GatewayContext } from './context.ts'
import { paramsOf, queryOf } from './context.ts'
import { parseLimit } from './query.ts'
import { parseVersion } from './replay.ts'
import { ACCEPTED, sendAccepted } from './submit.ts'

const DEFAULT_LIMIT = 50
const MAX_LIMIT = 500

export function deadLetterRoutes(app: FastifyInstance, context: GatewayContext): void {
  lookingRoutes(app, context)
  removingRoutes(app, context)
  app.post('/v1/functions/:name/dead-letters/:id/redrive', {
    config: { openapi: REDRIVE },
    handler: async (request, reply) => {
      const letter = await letterOf(context, request)
      const version = await versionFor(context, letter.invocation.function, request.body)
      return sendAccepted(reply, await redriveOne(context, { letter, version, signal: request.cancel }))
    },
  })
  app.post('/v1/functions/:name/dead-letters/redrive', {
    config: { openapi: REDRIVE_ALL },
    handler: async (request) => {
      const name = parseFunctionName(paramsOf<'name'>(request).name)
      const version = await versionFor(context, name, request.body)
      return redriveAll(context, version, request.cancel)
    },
  })
}

function lookingRoutes(app: FastifyInstance, context: GatewayContext): void {
  app.get('/v1/functions/:name/dead-letters', {
    config: { openapi: LIST },
    handler: async (request) => {
      const name = parseFunctionName(paramsOf<'name'>(request).name)
      const { limit, cursor } = queryOf(request)
      const page = await context.deps.deadLetters.list(name, {
        limit: parseLimit(limit, DEFAULT_LIMIT, MAX_LIMIT),
        ...(cursor === undefined ? {} : { cursor: String(cursor) }),
      })
      // They outlive their function, so that is not asked for first.
      if (page.letters.length === 0) await mustExist(context, name)
      const { letters, ...rest } = page
      return { deadLetters: letters.map(describe), ...rest }
    },
  })
  app.get('/v1/functions/:name/dead-letters/:id', {
    config: { openapi: GET },
    handler: async (request) => {
      const letter = await letterOf(context, request)
      return { ...describe(letter), input: inputOf(letter.invocation.request) }
    },
  })
}

function removingRoutes(app: FastifyInstance, context: GatewayContext): void {
  const { deadLetters } = context.deps
  app.delete('/v1/functions/:name/dead-letters/:id', {
    config: { openapi: REMOVE },
    handler: async (request, reply) => {
      const { name, id } = paramsOf<'name' | 'id'>(request)
      if (!(await deadLetters.remove(parseFunctionName(name), parseInvocationId(id)))) throw letterNotFound(name, id)
      return reply.code(204).send()
    },
  })
  app.delete('/v1/functions/:name/dead-letters', {
    config: { openapi: PURGE },
    handler: async (request) => {
      const name = parseFunctionName(paramsOf<'name'>(request).name)
      const purged = await deadLetters.purge(name)
      if (purged === 0) await mustExist(context, name)
      return { purged }
    },
  })
}

async function letterOf({ deps }: GatewayContext, request: FastifyRequest): Promise<DeadLetter> {
  const { name, id } = paramsOf<'name' | 'id'>(request)
  const letter = await deps.deadLetters.get(parseFunctionName(name), parseInvocationId(id))
  if (letter === undefined) throw letterNotFound(name, id)
  return letter
}

/** The live one unless the body names another: a redrive mostly comes after a repair. */
async function versionFor({ directory }: GatewayContext, name: FunctionName, body: unknown) {
  const wanted = parseVersion(body)
  return directory.resolve(wanted === undefined ? name : `${name}@${wanted}`)
}

async function mustExist({ deps }: GatewayContext, name: FunctionName): Promise<void> {
  if ((await deps.functions.get(name)) === undefined) throw functionNotFound(name)
}

function letterNotFound(name: string, id: string): PlatformError {
  return new PlatformError('dead-letter-not-found', {
    detail: `the function ${JSON.stringify(name)} has no dead letter ${JSON.stringify(id)}`,
  })
}

function describe({ invocation, state, error, attempts, at }: DeadLetter): object {
  const { id, function: name, version, trigger, cause, request, acceptedAt } = invocation
  const { method, target, body } = request
  return {
    id,
    function: name,
    version,
    trigger,
    cause,
    state,
    error,
    attempts,
    at,
    acceptedAt,
    request: { method, target, bodyBytes: body.length },
  }
}

function inputOf({ headers, body }: QueuedRequest): RecordInput {
  const bodyEncoding = isUtf8(body) ? 'utf8' : 'base64'
  return { headers, body: Buffer.from(body).toString(bodyEncoding), bodyEncoding }
}

const LETTER_EXAMPLE = {
  id: '019a9f3e-7c1d-7b6a-8f00-3a5d2c9e1b44',
  function: 'hello-js',
  version: 3,
  trigger: 'async',
  cause: {},
  state: 'failed',
  error: { code: 'function-failed', message: 'no such order' },
  attempts: 3,
  at: 1_795_000_009_000,
  acceptedAt: 1_795_000_000_000,
  request: { method: 'POST', target: '/', bodyBytes: 5 },
}
const NOT_FOUND = ['invalid-name', 'invocation-not-found', 'dead-letter-not-found'] as const
const VERSION_BODY = {
  content: { 'application/json': { schema: object({}, { version: integer('Default: the live one') }) } },
}

const LIST: Operation = {
  tags: ['Dead letters'],
  operationId: 'listDeadLetters',
  summary: 'List the dead letters of a function',
  description:
    'Async invocations that failed for good or expired. They stay for a time of their own, whatever becomes of their records.',
  parameters: [
    NAME,
    queryParam('limit', integer('Dead letters a page', { minimum: 1, maximum: MAX_LIMIT, default: DEFAULT_LIMIT })),
    queryParam('cursor', { type: 'string', description: '`next` of the page before' }),
  ],
  responses: {
    200: json('Newest first', object({ deadLetters: list(ref('DeadLetter')) }, { next: { type: 'string' } }), {
      deadLetters: [LETTER_EXAMPLE],
    }),
    ...managed('invalid-name', 'invalid-request', 'function-not-found'),
  },
}

const GET: Operation = {
  tags: ['Dead letters'],
  operationId: 'getDeadLetter',
  summary: 'A dead letter with its input',
  parameters: [NAME, INVOCATION_ID],
  responses: { 200: json('It', ref('DeadLetter'), LETTER_EXAMPLE), ...managed(...NOT_FOUND) },
}

const REDRIVE: Operation = {
  tags: ['Dead letters'],
  operationId: 'redriveDeadLetter',
  summary: 'Queue a dead letter again',
  description: `As a new invocation with all its tries, on the live version unless another one is named. Then the dead
letter is gone. Doing it twice at the same time queues it once.`,
  parameters: [NAME, INVOCATION_ID],
  requestBody: VERSION_BODY,
  responses: {
    202: ACCEPTED,
    ...managed(...NOT_FOUND, 'invalid-request', 'function-not-found', 'version-not-found'),
  },
}

const REDRIVE_ALL: Operation = {
  tags: ['Dead letters'],
  operationId: 'redriveDeadLetters',
  summary: 'Queue all dead letters of a function again',
  description: `Those that were there when it began, newest first, until all are queued, the client goes or a minute is
over. \`remaining\` tells how many are there after that; sending it again goes on.`,
  parameters: [NAME],
  requestBody: VERSION_BODY,
  responses: {
    200: json(
      'How many',
      object({
        redriven: integer('Queued again'),
        failed: integer('Could not be queued; they are still there'),
        remaining: integer('Dead letters that are there now'),
      }),
      { redriven: 41, failed: 0, remaining: 0 },
    ),
    ...managed('invalid-name', 'invalid-request', 'function-not-found', 'version-not-found'),
  },
}

const REMOVE: Operation = {
  tags: ['Dead letters'],
  operationId: 'removeDeadLetter',
  summary: 'Remove a dead letter',
  parameters: [NAME, INVOCATION_ID],
  responses: { 204: { description: 'Removed' }, ...managed(...NOT_FOUND) },
}

const PURGE: Operation = {
  tags: ['Dead letters'],
  operationId: 'purgeDeadLetters',
  summary: 'Remove all dead letters of a function',
  parameters: [NAME],
  responses: {
    200: json('How many', object({ purged: integer('Removed') }), { purged: 41 }),
    ...managed('invalid-name', 'function-not-found'),
  },
}
