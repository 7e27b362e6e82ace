// POST /v1/functions/{name}/invocations: a call for later. As function URLs it works on the bare request and response
// of node:http, past the router: what is queued by the thousand is queued here. The route of fastify is for the few
// spellings of the path that are not seen as it (an escaped name), and for the description.
import type { IncomingMessage, ServerResponse } from 'node:http'
import { parse as parseQuery } from 'node:querystring'

import type { FastifyInstance, FastifyReply } from 'fastify'

import { asPlatformError, PlatformError } from '#core/errors'
import type { StoredResponse } from '#core/idempotency'
import { parseFunctionName } from '#core/ids'
import type { InvocationId } from '#core/ids'
import type { QueuedInvocation } from '#core/queue'
import type { StopSignal } from '#core/stop-signal'

import { putDown } from '../accept/accept.ts'
import { ACCEPTED_TYPE, acceptedResponse, acceptedText, locationOf } from '../accept/answer.ts'
import { defaultOptions, parseOptions, SUBMIT_FIELDS } from '../accept/options.ts'
import { queuedInvocation } from '../accept/queued.ts'
import { unauthorized } from '../auth.ts'
import { fingerprintOf, functionScope, keyOf } from '../idempotency/fingerprint.ts'
import { acceptKeyed } from '../idempotency/keyed-accept.ts'
import type { KeyedAnswer } from '../idempotency/keyed-accept.ts'
import { REPLAY_HEADER } from '../idempotency/replay.ts'
import { wholeBody } from '../invoke/body.ts'
import { optionSchema } from '../openapi/components.ts'
import { IDEMPOTENCY_KEY, json, managed, NAME, queryParam, ref } from '../openapi/operation.ts'
import type { Operation } from '../openapi/operation.ts'
import { sendProblem } from '../problem.ts'
import { abortSignalOf, shuttingDown } from '../running.ts'
import type { GatewayContext, Query } from './context.ts'
import { paramsOf, queryOf } from './context.ts'

const PREFIX = '/v1/functions/'
const SUFFIX = '/invocations'

interface Target {
  /** Not checked. */
  readonly name: string
  /** Without the question mark. */
  readonly search: string
}

/** Undefined when the path is another one. */
export function submitTarget(url: string): Target | undefined {
  if (!url.startsWith(PREFIX)) return undefined
  const slash = url.indexOf('/', PREFIX.length)
  if (slash < 0 || !url.startsWith(SUFFIX, slash)) return undefined
  const end = slash + SUFFIX.length
  if (end < url.length && url[end] !== '?') return undefined
  const name = url.slice(PREFIX.length, slash)
  return name.includes('%') ? undefined : { name, search: url.slice(end + 1) }
}

interface Submit extends Target {
  readonly req: IncomingMessage
  readonly res: ServerResponse
}

/** Answers it. Never rejects. */
export async function handleSubmit(context: GatewayContext, { req, res, name, search }: Submit): Promise<void> {
  try {
    const { stop } = context.running.begin(res)
    if (!context.isAdmin(req.headers.authorization)) throw unauthorized(req.headers.authorization)
    if (context.running.draining) throw shuttingDown()
    const limit = context.options.maxAsyncBodyBytes
    const body = await wholeBody(req, limit, (bytes) => tooLarge(limit, bytes))
    const query = search === '' ? undefined : (parseQuery(search) as Query)
    await submit(context, { req, res, name, query, body, stop })
  } catch (thrown) {
    const error = asPlatformError(thrown)
    const id = crypto.randomUUID()
    if (error.code === 'internal') context.deps.onFault(thrown, id)
    if (!res.destroyed && !res.headersSent) sendProblem(req, res, error, { id, headers: [] })
  }
}

interface Submission {
  readonly req: IncomingMessage
  readonly res: ServerResponse
  readonly name: string
  readonly query: Query | undefined
  readonly body: Uint8Array
  readonly stop: StopSignal
}

/** @throws PlatformError when it is not accepted */
async function submit(context: GatewayContext, submission: Submission): Promise<void> {
  const { res } = submission
  const invocation = await read(context, submission)
  const key = keyOf(submission.req)
  if (key !== undefined) return submitOnce(context, { ...submission, invocation, key })
  const refusal = await context.accepting.accept(invocation)
  if (refusal !== undefined) {
    putDown(context.deps, invocation, refusal)
    throw refusal.error
  }
  if (res.destroyed) return
  const { id } = invocation
  const text = acceptedText(invocation, id)
  res.writeHead(202, ['content-type', ACCEPTED_TYPE, 'location', locationOf(id), 'content-length', String(text.length)])
  // As text it leaves in one piece with the head.
  res.end(text, 'latin1')
}

async function read(
  { deps, directory, forwarder }: GatewayContext,
  { req, name, query, body }: Submission,
): Promise<QueuedInvocation> {
  const found = directory.resolve(parseFunctionName(name))
  const version = found instanceof Promise ? await found : found
  const now = deps.clock.now()
  const { target, ...options } =
    query === undefined ? { ...defaultOptions(version.spec), target: '/' } : parseOptions(query, version.spec, now)
  // The token in it was for this API.
  const { origin, headers } = forwarder.forward(req, true)
  return queuedInvocation({ version, request: { method: 'POST', target, origin, headers, body }, options }, now)
}

interface Keyed extends Submission {
  readonly invocation: QueuedInvocation
  readonly key: string
}

async function submitOnce(context: GatewayContext, { req, res, stop, invocation, key }: Keyed): Promise<void> {
  const submission = {
    invocation,
    key: { scope: functionScope(invocation.function), key },
    fingerprint: fingerprintOf('POST', req.url as string, invocation.request.body),
    answer: (id: InvocationId) => acceptedResponse(invocation, id),
  }
  const [answer] = (await acceptKeyed(context.deps, [submission], abortSignalOf(stop))) as [KeyedAnswer]
  if ('error' in answer) throw answer.error
  if (res.destroyed) return
  const { status, headers, body } = answer.response
  const replay = answer.isReplay ? [REPLAY_HEADER, 'true'] : []
  res.writeHead(status, [...headers.flat(), ...replay, 'content-length', String(body.length)])
  res.end(body)
}

export function submitRoute(app: FastifyInstance, context: GatewayContext): void {
  app.post('/v1/functions/:name/invocations', {
    bodyLimit: context.options.maxAsyncBodyBytes,
    config: { openapi: SUBMIT, limit: 'HEARTH_MAX_ASYNC_BODY_BYTES' },
    handler: async (request, reply) => {
      const { name } = paramsOf<'name'>(request)
      const body = (request.body ?? new Uint8Array(0)) as Uint8Array
      const { raw: req, cancel: stop } = request
      await submit(context, { req, res: reply.raw, name, query: queryOf(request), body, stop })
      reply.hijack()
    },
  })
}

export function sendAccepted(reply: FastifyReply, { status, headers, body }: StoredResponse): FastifyReply {
  for (const [name, value] of headers) reply.header(name, value)
  return reply.code(status).send(body)
}

function tooLarge(limit: number, bytes: number): PlatformError {
  return new PlatformError('payload-too-large', {
    detail: `a body has at most ${limit} bytes (HEARTH_MAX_ASYNC_BODY_BYTES): received ${bytes}`,
    members: { limit },
  })
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
