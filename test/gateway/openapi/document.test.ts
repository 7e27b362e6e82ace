import { expect, test } from 'vitest'

import { ERRORS } from '#core/errors'
import { SPEC_FIELDS } from '#core/spec-fields'
import type { OpenApiDocument } from '#gateway/openapi/document'

import { startGateway } from '../start.ts'

type Node = Readonly<Record<string, unknown>>

async function fetchDocument(): Promise<OpenApiDocument> {
  await using gateway = await startGateway()
  return (await (await fetch(`${gateway.url}/openapi.json`)).json()) as OpenApiDocument
}

/** Every object in a document, with its place. */
function* nodes(value: unknown, place = '#'): Generator<readonly [string, Node]> {
  if (typeof value !== 'object' || value === null) return
  if (!Array.isArray(value)) yield [place, value as Node]
  for (const [key, child] of Object.entries(value)) yield* nodes(child, `${place}/${key}`)
}

test('the document has every route', async () => {
  const { openapi, paths } = await fetchDocument()
  expect(openapi).toBe('3.1.0')
  const routes = Object.entries(paths).flatMap(([path, operations]) =>
    Object.keys(operations).map((method) => `${method.toUpperCase()} ${path}`),
  )
  expect(routes.filter((route) => !route.includes(' /fn/')).toSorted()).toEqual([
    'DELETE /v1/functions/{name}',
    'DELETE /v1/functions/{name}/dead-letters',
    'DELETE /v1/functions/{name}/dead-letters/{id}',
    'DELETE /v1/triggers/{name}',
    'GET /docs',
    'GET /healthz',
    'GET /metrics',
    'GET /openapi.json',
    'GET /readyz',
    'GET /v1/functions',
    'GET /v1/functions/{name}',
    'GET /v1/functions/{name}/code',
    'GET /v1/functions/{name}/dead-letters',
    'GET /v1/functions/{name}/dead-letters/{id}',
    'GET /v1/functions/{name}/logs',
    'GET /v1/functions/{name}/versions',
    'GET /v1/invocations',
    'GET /v1/invocations/{id}',
    'GET /v1/invocations/{id}/logs',
    'GET /v1/triggers',
    'GET /v1/triggers/{name}',
    'OPTIONS /hooks/{name}',
    'POST /hooks/{name}',
    'POST /v1/events',
    'POST /v1/functions/{name}/dead-letters/redrive',
    'POST /v1/functions/{name}/dead-letters/{id}/redrive',
    'POST /v1/functions/{name}/invocations',
    'POST /v1/functions/{name}/invocations/batch',
    'POST /v1/invocations/{id}/cancel',
    'POST /v1/invocations/{id}/replay',
    'POST /v1/triggers/{name}/disable',
    'POST /v1/triggers/{name}/enable',
    'PUT /v1/functions/{name}',
    'PUT /v1/triggers/{name}',
  ])
  for (const method of ['GET', 'POST', 'PUT', 'PATCH', 'DELETE', 'HEAD', 'OPTIONS']) {
    expect(routes).toContain(`${method} /fn/{name}`)
    expect(routes).toContain(`${method} /fn/{name}/{path}`)
  }
})

test('every $ref leads somewhere, and every schema is used', async () => {
  const document = await fetchDocument()
  const refs = [...nodes(document)].flatMap(([place, { $ref }]) => (typeof $ref === 'string' ? [{ place, $ref }] : []))
  const schemas = Object.keys(document.components.schemas)
  const lost = refs.filter(({ $ref }) => !schemas.some((name) => $ref === `#/components/schemas/${name}`))
  expect(lost).toEqual([])
  const used = new Set(refs.map(({ $ref }) => $ref.slice($ref.lastIndexOf('/') + 1)))
  expect(schemas.filter((name) => !used.has(name))).toEqual([])
})

test('operations have their own ids, known tags, and parameters for every part of the path', async () => {
  const { paths, tags } = await fetchDocument()
  const operations = Object.entries(paths).flatMap(([path, byMethod]) =>
    Object.values(byMethod).map((operation) => ({ path, ...operation })),
  )
  expect(new Set(operations.map(({ operationId }) => operationId)).size).toBe(operations.length)
  for (const { path, parameters = [], tags: own, responses } of operations) {
    expect(tags.map(({ name }) => name)).toContain(own[0])
    const inPath = parameters.filter((parameter) => parameter.in === 'path').map((parameter) => parameter.name)
    expect(inPath).toEqual([...path.matchAll(/\{(\w+)\}/g)].map(([, name]) => name))
    for (const response of Object.values(responses)) expect(response.description).toMatch(/\w/)
  }
})

test('management operations want the token and say so', async () => {
  const { paths, security } = await fetchDocument()
  expect(security).toEqual([{ token: [] }])
  for (const [path, operations] of Object.entries(paths)) {
    for (const operation of Object.values(operations)) {
      if (path.startsWith('/v1/')) expect(operation.responses).toHaveProperty('401')
      expect(operation.security === undefined).toBe(path.startsWith('/v1/'))
    }
  }
})

test('spec fields and error codes are those of the tables', async () => {
  const { components, paths } = await fetchDocument()
  const spec = components.schemas.FunctionSpec as { properties: object }
  expect(Object.keys(spec.properties)).toEqual(Object.keys(SPEC_FIELDS))
  const problem = components.schemas.Problem as { properties: { code: { enum: string[] } } }
  expect(problem.properties.code.enum).toEqual(Object.keys(ERRORS))
  const query = paths['/v1/functions/{name}']?.put?.parameters?.filter((parameter) => parameter.in === 'query')
  expect(query?.map((parameter) => parameter.name)).toEqual(Object.keys(SPEC_FIELDS))
})

test('examples have what their schemas demand', async () => {
  const document = await fetchDocument()
  const examples = [...nodes(document)].filter(([, node]) => node.example !== undefined && node.schema !== undefined)
  expect(examples.length).toBeGreaterThan(10)
  for (const [, { schema, example }] of examples) expect(misfits(schema as Node, example, document)).toEqual([])
  function misfits(schema: Node, value: unknown, { components }: OpenApiDocument): string[] {
    const name = typeof schema.$ref === 'string' ? schema.$ref.slice('#/components/schemas/'.length) : undefined
    const target = name === undefined ? schema : (components.schemas[name] as Node)
    return check(target, value)
  }
  function check(schema: Node, value: unknown): string[] {
    const {
      type,
      properties = {},
      required = [],
      items,
      enum: choices,
    } = schema as {
      type?: string
      properties?: Record<string, Node>
      required?: string[]
      items?: Node
      enum?: unknown[]
    }
    if (choices !== undefined && !choices.includes(value))
      return [`${JSON.stringify(value)} is not in ${choices.join()}`]
    // Anything.
    if (type === undefined) return []
    if (type === 'array') {
      if (!Array.isArray(value)) return ['not an array']
      return items === undefined ? [] : value.flatMap((item) => misfits(items, item, document))
    }
    if (type !== 'object') return typeof value === (type === 'integer' ? 'number' : type) ? [] : [`not ${type}`]
    const object = value as Node
    const missing = required.filter((key) => object[key] === undefined).map((key) => `no ${key}`)
    const known = Object.entries(properties).filter(([key]) => object[key] !== undefined)
    return [...missing, ...known.flatMap(([key, child]) => misfits(child, object[key], document))]
  }
})

test('answers have the fields that the document promises', async () => {
  await using gateway = await startGateway()
  await gateway.deploy('up')
  const { components } = (await (await fetch(`${gateway.url}/openapi.json`)).json()) as OpenApiDocument
  const headers = { authorization: 'Bearer test-token' }
  await (await fetch(`${gateway.url}/fn/up`)).text()
  const json = async (path: string): Promise<Node> => (await fetch(gateway.url + path, { headers })).json() as never
  const [record] = ((await json('/v1/invocations')) as { records: Node[] }).records
  const answers: [string, Node | undefined][] = [
    ['FunctionStatus', await json('/v1/functions/up')],
    ['FunctionSummary', ((await json('/v1/functions')) as { functions: Node[] }).functions[0]],
    ['FunctionVersion', ((await json('/v1/functions/up/versions')) as { versions: Node[] }).versions[0]],
    ['Invocation', record],
    ['Problem', await json('/v1/functions/nope')],
  ]
  for (const [name, answer] of answers) {
    const schema = components.schemas[name] as { properties: object; required: string[] }
    expect(Object.keys(schema.properties)).toEqual(expect.arrayContaining(Object.keys(answer ?? {})))
    expect(Object.keys(answer ?? {})).toEqual(expect.arrayContaining(schema.required))
  }
})

test('/docs is one page that loads nothing and shows every operation', async () => {
  await using gateway = await startGateway()
  const response = await fetch(`${gateway.url}/docs`)
  const page = await response.text()
  expect(response.headers.get('content-security-policy')).toContain("default-src 'none'")
  expect(page).not.toMatch(/<script|src=|@import|url\(/)
  const links = [...page.matchAll(/href="#([\w-]+)"/g)].map(([, id]) => id)
  expect(links.length).toBeGreaterThan(15)
  for (const id of links) expect(page).toContain(`id="${id}"`)
  expect(page).toContain('&#60;admin token&#62;')
})
