// POST /v1/functions/{name}/invocations/batch: many calls for later in one request, a line of JSON each.
import type { FastifyInstance, FastifyRequest } from 'fastify'

import { asPlatformError, PlatformError, problemOf } from '#core/errors'
import { parseFunctionName } from '#core/ids'

import { acceptBatch } from '../accept/batch.ts'
import { readLine, readLines } from '../accept/batch-lines.ts'
import type { BatchLine } from '../accept/batch-lines.ts'
import { SUBMIT_FIELDS } from '../accept/options.ts'
import { chunksOf } from '../invoke/body.ts'
import { originOf } from '../invoke/headers.ts'
import { optionSchema } from '../openapi/components.ts'
import { integer, json, list, managed, NAME, object, ref, string } from '../openapi/operation.ts'
import type { Operation } from '../openapi/operation.ts'
import type { GatewayContext } from './context.ts'
import { paramsOf } from './context.ts'

export async function batchRoute(app: FastifyInstance, context: GatewayContext): Promise<void> {
  // The body is read line by line, whatever its type.
  app.removeAllContentTypeParsers()
  app.addContentTypeParser('*', (_request, payload, done) => done(null, payload))
  app.post('/v1/functions/:name/invocations/batch', {
    bodyLimit: context.options.maxBodyBytes,
    config: { openapi: BATCH, limit: 'HEARTH_MAX_BODY_BYTES' },
    handler: async (request) => {
      const lines = await linesOf(context, request)
      const answers = await acceptBatch(context.deps, lines, request.cancel)
      const errors = answers.filter((answer) => answer instanceof PlatformError)
      const [first] = errors
      // Nothing was said about any line: the whole can be sent again.
      if (errors.length === answers.length && first?.code === 'store-unavailable') throw first
      return {
        accepted: answers.length - errors.length,
        rejected: errors.length,
        invocations: answers.map((answer) =>
          answer instanceof PlatformError ? { error: problemOf(answer) } : { id: answer },
        ),
      }
    },
  })
}

/** All of them, before the first is accepted: a request that breaks off has done nothing. */
async function linesOf(context: GatewayContext, request: FastifyRequest): Promise<(BatchLine | PlatformError)[]> {
  const { options, deps, directory } = context
  const version = await directory.resolve(parseFunctionName(paramsOf<'name'>(request).name))
  const target = { version, origin: originOf(request.raw, options.trustProxy), now: deps.clock.now(), limits: options }
  const lines: (BatchLine | PlatformError)[] = []
  for await (const line of readLines(chunksOf(request.raw), options)) {
    if (lines.length === options.maxBatch) throw tooMany(options.maxBatch)
    try {
      lines.push(readLine(line, target))
    } catch (error) {
      lines.push(asPlatformError(error))
    }
  }
  if (lines.length > 0) return lines
  throw new PlatformError('invalid-request', { detail: 'expected a line of JSON for each call: received none' })
}

function tooMany(limit: number): PlatformError {
  return new PlatformError('payload-too-large', {
    detail: `a batch has at most ${limit} lines (HEARTH_MAX_BATCH): received more`,
    members: { limit },
  })
}

const ID_EXAMPLE = '019a9f3e-7c1d-7b6a-8f00-3a5d2c9e1b44'
const LINE = object(
  {},
  {
    body: string('Text'),
    bodyBase64: string('Bytes, in place of body'),
    headers: { type: 'object', additionalProperties: { type: 'string' } },
    ...Object.fromEntries(Object.entries(SUBMIT_FIELDS).map(([name, field]) => [name, optionSchema(field)])),
    idempotencyKey: string('As the header Idempotency-Key, of this line'),
  },
)

const BATCH: Operation = {
  tags: ['Call'],
  operationId: 'submitBatch',
  summary: 'Call a function later, many times',
  description: `Newline-delimited JSON: each line is a call, with the options of a single one. A line that is wrong is
answered with its problem and holds up no other. When the request breaks off before its end, nothing is queued. Give lines
an \`idempotencyKey\` to be able to send the whole again.`,
  parameters: [NAME],
  requestBody: { content: { 'application/x-ndjson': { schema: LINE } } },
  responses: {
    200: json(
      'An answer for each line, in order',
      object({
        accepted: integer('Lines that are queued'),
        rejected: integer('Lines that are not'),
        invocations: list(object({}, { id: string('', { format: 'uuid' }), error: ref('Problem') })),
      }),
      { accepted: 1, rejected: 0, invocations: [{ id: ID_EXAMPLE }] },
    ),
    ...managed('invalid-name', 'invalid-request', 'function-not-found', 'payload-too-large'),
  },
}
