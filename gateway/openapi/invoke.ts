// Describes function URLs: they are not routes of fastify, so they cannot speak for themselves.
import { ERRORS } from '#core/errors'

import type { Paths } from './document.ts'
import { NAME, OPEN, pathParam, problems, string } from './operation.ts'
import type { Operation, Schema } from './operation.ts'

const METHODS = ['get', 'post', 'put', 'patch', 'delete', 'head', 'options'] as const
const ANY: Schema = { schema: { type: 'string', format: 'binary' } }

const HEADERS = {
  'hearth-invocation-id': header('Id of the invocation; its record is at /v1/invocations/{id}'),
  'hearth-version': header('The version that ran'),
  'hearth-start': header('`cold`: a sandbox was created. `specialized`: a generic one was. `warm`: one was idle'),
  'server-timing': header('queue, start and, where the response came in one piece, run; ms'),
}

export function invokePaths(): Paths {
  return {
    '/fn/{name}': forAllMethods('callFunction', 'Call a function', []),
    '/fn/{name}/{path}': forAllMethods('callFunctionAt', 'Call a function below its root', [
      pathParam(
        'path',
        string('The rest of the path, slashes included; the function gets it as it is', { example: 'items/7' }),
      ),
    ]),
  }
}

function forAllMethods(id: string, summary: string, more: readonly Schema[]): Record<string, Operation> {
  return Object.fromEntries(METHODS.map((method) => [method, operation(method, { id, summary, more })]))
}

function operation(
  method: (typeof METHODS)[number],
  { id, summary, more }: { readonly id: string; readonly summary: string; readonly more: readonly Schema[] },
): Operation {
  const hasBody = method === 'post' || method === 'put' || method === 'patch'
  return {
    tags: ['Call'],
    operationId: `${id}_${method}`,
    summary,
    description: `Any method, path, query, headers and body go to the function, and its response comes back as it is
written. \`/fn/{name}@{version}\` calls another version than the live one. Open, unless the function says
\`"auth": "token"\`.`,
    parameters: [NAME, ...more],
    ...(hasBody ? { requestBody: { content: { '*/*': ANY } } } : {}),
    security: [...OPEN, {}, { token: [] }],
    responses: {
      default: { description: 'What the function answers', headers: HEADERS, content: { '*/*': ANY } },
      ...problems(...PLATFORM_FAILURES),
    },
  }
}

const PLATFORM_FAILURES = [
  'unauthorized',
  'function-not-found',
  'version-not-found',
  'payload-too-large',
  'too-many-headers',
  'queue-full',
  'function-failed',
  'sandbox-exited',
  'timed-out',
  'out-of-memory',
  'wait-timed-out',
  'sandbox-unavailable',
  'driver-unavailable',
  'shutting-down',
] as const satisfies readonly (keyof typeof ERRORS)[]

function header(description: string): Schema {
  return { description, schema: { type: 'string' } }
}
