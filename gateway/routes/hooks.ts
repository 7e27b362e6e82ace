// /hooks/{trigger}: webhooks. Open to everyone who can sign, so outside of the management API.
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'

import { PlatformError } from '#core/errors'
import { parseTriggerName } from '#core/ids'

import { integer, json, object, OPEN, problems } from '../openapi/operation.ts'
import type { Operation } from '../openapi/operation.ts'
import { TRIGGER } from '../openapi/trigger-schemas.ts'
import { shuttingDown } from '../running.ts'
import { eventsOfRequest } from '../sources/http/message.ts'
import type { HookOptions } from '../sources/http/options.ts'
import { verify } from '../sources/http/verify.ts'
import type { ServedTrigger } from '../triggers/served-trigger.ts'
import type { GatewayContext } from './context.ts'
import { paramsOf } from './context.ts'
import { checkCount } from './events.ts'

export async function hookRoutes(app: FastifyInstance, context: GatewayContext): Promise<void> {
  // A signature is over the bytes as they came.
  app.removeAllContentTypeParsers()
  app.addContentTypeParser('*', { parseAs: 'buffer' }, (_request, body, done) => done(null, body))
  app.addHook('onRequest', async () => {
    if (context.running.draining) throw shuttingDown()
  })
  app.post('/hooks/:name', {
    bodyLimit: context.options.maxAsyncBodyBytes,
    config: { openapi: RECEIVE, limit: 'HEARTH_MAX_ASYNC_BODY_BYTES' },
    handler: async (request, reply) => {
      const { served, options } = hookOf(context, request)
      const signed = { headers: request.headers, body: (request.body ?? new Uint8Array(0)) as Uint8Array }
      verify(signed, options, context.deps.clock.now())
      const events = eventsOfRequest(served.trigger.name, signed, options)
      checkCount(events.length, context.options.maxBatch)
      await Promise.all(events.map((event) => served.accept(event)))
      return reply.code(202).send({ accepted: events.length })
    },
  })
  app.options('/hooks/:name', {
    config: { openapi: HANDSHAKE },
    handler: async (request, reply) => handshake(hookOf(context, request).options, request, reply),
  })
}

/** Not found also when the trigger is disabled, or of another kind: what there is is nobody's business. */
function hookOf(
  { triggers }: GatewayContext,
  request: FastifyRequest,
): { readonly served: ServedTrigger; readonly options: HookOptions } {
  const name = parseTriggerName(paramsOf<'name'>(request).name)
  const served = triggers.served(name)
  if (served?.trigger.spec.kind === 'http') return { served, options: served.trigger.spec.source as HookOptions }
  throw new PlatformError('trigger-not-found', { detail: `no webhook has the name ${JSON.stringify(name)}` })
}

/** CloudEvents "HTTP 1.1 Web Hooks", section 4: who may send, asked before anything is sent. */
function handshake({ origins }: HookOptions, { headers }: FastifyRequest, reply: FastifyReply): FastifyReply {
  const origin = headers['webhook-request-origin']
  reply.header('allow', 'OPTIONS, POST')
  if (typeof origin === 'string' && (origins.includes('*') || origins.includes(origin))) {
    reply.header('webhook-allowed-origin', origins.includes('*') ? '*' : origin)
    reply.header('webhook-allowed-rate', '*')
  }
  return reply.code(200).send()
}

const RECEIVE: Operation = {
  tags: ['Events'],
  operationId: 'receiveWebhook',
  summary: 'Send to a webhook',
  description: `For the trigger of kind \`http\`, which says how the request must be signed. A CloudEvent, in any mode, is
taken as such; anything else is the data of an event of type \`dev.hearth.webhook\`. It is durable when the answer comes; a
delivery with a known id does not run again.`,
  parameters: [TRIGGER],
  security: OPEN,
  requestBody: { content: { '*/*': { schema: { type: 'string', format: 'binary' } } } },
  responses: {
    202: json('Durable', object({ accepted: integer('Events') }), { accepted: 1 }),
    ...problems(
      'invalid-name',
      'invalid-event',
      'invalid-signature',
      'trigger-not-found',
      'function-not-found',
      'payload-too-large',
      'store-unavailable',
      'shutting-down',
    ),
  },
}

const HANDSHAKE: Operation = {
  tags: ['Events'],
  operationId: 'askWebhook',
  summary: 'Ask whether events may be sent to a webhook',
  description: 'The handshake of CloudEvents webhooks. `webhook-allowed-origin` is there when the origin may send.',
  parameters: [TRIGGER, { name: 'WebHook-Request-Origin', in: 'header', schema: { type: 'string' } }],
  security: OPEN,
  responses: { 200: { description: 'See the headers' }, ...problems('invalid-name', 'trigger-not-found') },
}
