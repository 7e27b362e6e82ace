// /metrics, for Prometheus.
import type { FastifyInstance } from 'fastify'

import { media, OPEN } from '../openapi/operation.ts'
import type { GatewayContext } from './context.ts'

export function metricsRoutes(app: FastifyInstance, { metrics }: GatewayContext): void {
  app.get('/metrics', {
    config: {
      openapi: {
        tags: ['Platform'],
        operationId: 'metrics',
        summary: 'Numbers for Prometheus',
        description: `\`hearth_invocations_total\` by function, outcome and start; histograms \`hearth_queue_seconds\`,
\`hearth_start_seconds\` and \`hearth_run_seconds\` by function; \`hearth_sandboxes\` by driver and state. Of async
invocations by function: \`hearth_lane_depth\` by state, \`hearth_lane_oldest_seconds\`, \`hearth_dead_letters\`,
\`hearth_async_total\` by state, \`hearth_async_attempts_total\`, \`hearth_redeliveries_total\`.`,
        security: OPEN,
        responses: { 200: media('Prometheus text format', { 'text/plain': { type: 'string' } }) },
      },
    },
    handler: async (_request, reply) => reply.type(metrics.contentType).send(await metrics.render()),
  })
}
