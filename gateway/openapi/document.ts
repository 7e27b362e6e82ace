// The OpenAPI document, gathered from what the routes say about themselves.
import type { FastifyInstance } from 'fastify'

import { components } from './components.ts'
import type { Operation, Schema } from './operation.ts'

export interface OpenApiDocument {
  readonly openapi: '3.1.0'
  readonly info: { readonly title: string; readonly version: string; readonly description: string }
  readonly tags: readonly { readonly name: string; readonly description: string }[]
  readonly security: readonly Schema[]
  readonly paths: Readonly<Record<string, Readonly<Record<string, Operation>>>>
  readonly components: { readonly schemas: Readonly<Record<string, Schema>>; readonly securitySchemes: Schema }
}

/** Paths with their operations, by lower-case method. */
export type Paths = Record<string, Record<string, Operation>>

const DESCRIPTION = `Hearth runs functions: in Wasm and in containers, warm while they are used, cold when they are not.

Management calls under \`/v1\` need \`Authorization: Bearer <admin token>\`. Functions are called at \`/fn/{name}\`; those are
open unless the function says \`"auth": "token"\`. Errors are \`application/problem+json\` (RFC 9457) with a stable \`code\`,
which is also in the header \`hearth-error\`; a function's own error responses come without that header.`

export const TAGS = [
  { name: 'Call', description: 'Calling functions, at once or later.' },
  { name: 'Functions', description: 'Deploying functions and looking at them.' },
  { name: 'Invocations', description: 'What became of calls: records and logs.' },
  { name: 'Dead letters', description: 'Async invocations that failed for good: look, queue again, remove.' },
  { name: 'Events', description: 'Triggers, webhooks and the event bus.' },
  { name: 'Platform', description: 'Health, metrics and this description.' },
] as const

/** Every route that is registered from now on and has an operation comes into the result. */
export function collectPaths(app: FastifyInstance): Paths {
  const paths: Paths = {}
  app.addHook('onRoute', ({ method, url, config }) => {
    const operation = config?.openapi
    if (operation === undefined) return
    const path = url.replace(/:(\w+)/g, '{$1}')
    for (const verb of [method].flat()) {
      // fastify adds HEAD to every GET by itself.
      if (verb !== 'HEAD') paths[path] = { ...paths[path], [verb.toLowerCase()]: operation }
    }
  })
  return paths
}

export function openApiDocument(paths: Paths, version: string): OpenApiDocument {
  return {
    openapi: '3.1.0',
    info: { title: 'Hearth', version, description: DESCRIPTION },
    tags: TAGS,
    security: [{ token: [] }],
    paths,
    components: {
      schemas: components(),
      securitySchemes: { token: { type: 'http', scheme: 'bearer', description: 'The admin token' } },
    },
  }
}
