// POST /v1/events: events for whoever wants them.
import type { FastifyInstance } from 'fastify'

import { PlatformError } from '#core/errors'
import type { CloudEvent } from '#core/event'

import { BATCH_TYPE, readEvents, STRUCTURED_TYPE } from '../cloud-events/http.ts'
import { integer, json, list, managed, object, ref } from '../openapi/operation.ts'
import type { Operation } from '../openapi/operation.ts'
import { publish } from '../triggers/bus.ts'
import type { GatewayContext } from './context.ts'

export function eventRoutes(app: FastifyInstance, context: GatewayContext): void {
  const { maxBodyBytes, maxAsyncBodyBytes, maxBatch } = context.options
  app.post('/v1/events', {
    bodyLimit: maxBodyBytes,
    config: { openapi: PUBLISH, limit: 'HEARTH_MAX_BODY_BYTES' },
    handler: async (request, reply) => {
      const events = readEvents(request.headers, (request.body ?? new Uint8Array(0)) as Uint8Array)
      checkCount(events.length, maxBatch)
      checkSizes(events, maxAsyncBodyBytes)
      const published = await publish(context.triggers, events)
      context.metrics.triggers.published(published)
      return reply.code(202).send(published)
    },
  })
}

/** @throws PlatformError `payload-too-large` */
export function checkCount(count: number, limit: number): void {
  if (count <= limit) return
  throw new PlatformError('payload-too-large', {
    detail: `a batch has at most ${limit} events (HEARTH_MAX_BATCH): received ${count}`,
    members: { limit },
  })
}

/** Each becomes the body of an invocation. */
function checkSizes(events: readonly CloudEvent[], limit: number): void {
  const index = events.findIndex((each) => sizeOf(each) > limit)
  const event = events[index]
  if (event === undefined) return
  const { id } = event.attributes
  throw new PlatformError('payload-too-large', {
    detail: `an event has at most ${limit} bytes (HEARTH_MAX_ASYNC_BODY_BYTES): ${JSON.stringify(id.slice(0, 80))} has ${sizeOf(event)}`,
    members: { limit, index },
  })
}

/** Attributes as they are written, and the data. */
function sizeOf({ attributes, data }: CloudEvent): number {
  return Object.entries(attributes).reduce((sum, pair) => sum + pair.join().length, data.length)
}

const EVENT_EXAMPLE = {
  specversion: '1.0',
  id: 'A-1',
  source: '/shop/7',
  type: 'shop.order.paid',
  data: { total: 99.5 },
}

const PUBLISH: Operation = {
  tags: ['Events'],
  operationId: 'publishEvents',
  summary: 'Publish events',
  description: `CloudEvents 1.0: one in binary mode (\`ce-\` headers) or structured mode, or a batch. Each goes to every
trigger of kind \`events\` whose filter it matches. All are durable when the answer comes. The same event, by source, id and
content, sent again to the same trigger does not run again.`,
  requestBody: {
    content: {
      [STRUCTURED_TYPE]: { schema: ref('CloudEvent'), example: EVENT_EXAMPLE },
      [BATCH_TYPE]: { schema: list(ref('CloudEvent')), example: [EVENT_EXAMPLE] },
      '*/*': { schema: { type: 'string', format: 'binary', description: 'The data, with the attributes as headers' } },
    },
  },
  responses: {
    202: json(
      'Durable',
      object({
        accepted: integer('Events'),
        deliveries: integer('Over all triggers: an event that three of them want counts three times'),
        unmatched: integer('Events that no trigger wanted'),
        refused: integer('Wanted by triggers whose function is not there, over all triggers'),
      }),
      { accepted: 1, deliveries: 2, unmatched: 0, refused: 0 },
    ),
    ...managed('invalid-event', 'payload-too-large'),
  },
}
