// The words in which routes describe themselves. Descriptions only: requests are parsed by core, so that there is one
// set of rules and one set of error codes, and fastify neither validates nor coerces.
import { ERRORS } from '#core/errors'
import type { ErrorCode } from '#core/errors'

/** A JSON Schema or another part of an OpenAPI document. */
export type Schema = Readonly<Record<string, unknown>>

/** An OpenAPI 3.1 operation object. */
export interface Operation {
  readonly tags: readonly [string]
  readonly operationId: string
  readonly summary: string
  readonly description?: string
  readonly parameters?: readonly Schema[]
  readonly requestBody?: Schema
  readonly responses: Readonly<Record<string, Schema>>
  /** Empty: open. Absent: the admin token. */
  readonly security?: readonly Schema[]
}

declare module 'fastify' {
  interface FastifyContextConfig {
    openapi?: Operation
  }
}

export const ERROR_CODES = Object.keys(ERRORS)
export const TIME = { type: 'integer', description: 'ms since the epoch' }
export const MS = { type: 'number', description: 'ms' }
export const START_KIND = { type: 'string', enum: ['cold', 'specialized', 'warm'] }

export const OPEN: readonly Schema[] = []

export function ref(name: string): Schema {
  return { $ref: `#/components/schemas/${name}` }
}

/** Everything in `optional` may be absent. */
export function object(
  required: Readonly<Record<string, Schema>>,
  optional: Readonly<Record<string, Schema>> = {},
): Schema {
  return { type: 'object', properties: { ...required, ...optional }, required: Object.keys(required) }
}

export function string(description: string, more: Schema = {}): Schema {
  return { type: 'string', description, ...more }
}

export function integer(description: string, more: Schema = {}): Schema {
  return { type: 'integer', description, ...more }
}

export function list(items: Schema): Schema {
  return { type: 'array', items }
}

export function pathParam(name: string, schema: Schema): Schema {
  return { name, in: 'path', required: true, ...parameter(schema) }
}

export function queryParam(name: string, schema: Schema): Schema {
  return { name, in: 'query', required: false, ...parameter(schema) }
}

export function json(description: string, schema: Schema, example: unknown): Schema {
  return { description, content: { 'application/json': { schema, example } } }
}

export function media(description: string, types: Readonly<Record<string, Schema>>): Schema {
  const content = Object.entries(types).map(([type, schema]) => [type, { schema }])
  return { description, content: Object.fromEntries(content) }
}

/** Problem answers, one per status, for the codes that a route can give. */
export function problems(...codes: readonly ErrorCode[]): Record<string, Schema> {
  const byStatus = Map.groupBy(codes, (code) => ERRORS[code].status)
  return Object.fromEntries([...byStatus].map(([status, group]) => [String(status), problem(group)]))
}

/** Of every management call. */
export function managed(...codes: readonly ErrorCode[]): Record<string, Schema> {
  return problems('unauthorized', ...codes, 'store-unavailable')
}

export const NAME = pathParam(
  'name',
  string('Name of the function', { pattern: '^[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?$', example: 'hello-js' }),
)

export const INVOCATION_ID = pathParam(
  'id',
  string('Id of the invocation', { format: 'uuid', example: '019a9f3e-7c1d-7b6a-8f00-3a5d2c9e1b44' }),
)

export const IDEMPOTENCY_KEY: Schema = {
  name: 'Idempotency-Key',
  in: 'header',
  required: false,
  ...parameter(
    string('Sent again with the same key, a request is done once, and answered as the first time', {
      pattern: '^[\\x21-\\x7e]{1,255}$',
      example: '7d0c4a9e-order-1042',
    }),
  ),
}

function problem(codes: readonly ErrorCode[]): Schema {
  return {
    description: codes.map((code) => `\`${code}\`: ${ERRORS[code].title}.`).join(' '),
    content: { 'application/problem+json': { schema: ref('Problem') } },
  }
}

function parameter({ description, example, ...schema }: Schema): Schema {
  return { description, schema, ...(example === undefined ? {} : { example }) }
}
