// /openapi.json for programs, /docs for people.
import type { FastifyInstance } from 'fastify'

import { docsPage } from '../docs/page.ts'
import { openApiDocument } from '../openapi/document.ts'
import type { Paths } from '../openapi/document.ts'
import { invokePaths } from '../openapi/invoke.ts'
import { media, OPEN } from '../openapi/operation.ts'

const API_VERSION = '1'
/** The page loads nothing and runs nothing. */
const PAGE_POLICY = "default-src 'none'; style-src 'unsafe-inline'; img-src data:"

/** @param paths of the routes that are registered; complete once the server is ready */
export function docsRoutes(app: FastifyInstance, paths: Paths): void {
  let document: string | undefined
  let page: string | undefined
  const describe = (): ReturnType<typeof openApiDocument> =>
    openApiDocument({ ...invokePaths(), ...paths }, API_VERSION)
  // For people who open the address of the banner in a browser.
  app.get('/', async (_request, reply) => reply.redirect('/docs'))
  app.get('/openapi.json', {
    config: {
      openapi: {
        tags: ['Platform'],
        operationId: 'openapi',
        summary: 'This description',
        security: OPEN,
        responses: { 200: media('OpenAPI 3.1', { 'application/json': { type: 'object' } }) },
      },
    },
    handler: async (_request, reply) => {
      document ??= JSON.stringify(describe())
      return reply.type('application/json').send(document)
    },
  })
  app.get('/docs', {
    config: {
      openapi: {
        tags: ['Platform'],
        operationId: 'docs',
        summary: 'This description, to be read',
        security: OPEN,
        responses: { 200: media('A page', { 'text/html': { type: 'string' } }) },
      },
    },
    handler: async (_request, reply) => {
      page ??= docsPage(describe())
      return reply.header('content-security-policy', PAGE_POLICY).type('text/html; charset=utf-8').send(page)
    },
  })
}
