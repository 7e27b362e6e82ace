// /v1/functions and /v1/functions/{name}: which there are, how they are, and their end.
import type { FastifyInstance } from 'fastify'

import { PlatformError } from '#core/errors'
import type { FunctionRecord, FunctionVersion } from '#core/function'
import { parseFunctionName } from '#core/ids'
import type { SandboxCounts } from '#core/invoker'

import { functionNotFound, versionNotFound } from '../directory.ts'
import { originOf } from '../invoke/headers.ts'
import { json, list, managed, NAME, object, ref } from '../openapi/operation.ts'
import type { GatewayContext } from './context.ts'
import { paramsOf } from './context.ts'

const SUMMARY_EXAMPLE = {
  function: 'hello-js',
  version: 3,
  state: 'warm',
  runtime: 'js',
  url: 'http://127.0.0.1:8787/fn/hello-js',
  createdAt: 1_795_000_000_000,
  updatedAt: 1_795_000_300_000,
}

export function functionRoutes(app: FastifyInstance, context: GatewayContext): void {
  listRoute(app, context)
  statusRoute(app, context)
  removeRoute(app, context)
}

function listRoute(app: FastifyInstance, context: GatewayContext): void {
  app.get('/v1/functions', {
    config: {
      openapi: {
        tags: ['Functions'],
        operationId: 'listFunctions',
        summary: 'List the functions',
        responses: {
          200: json('By name', object({ functions: list(ref('FunctionSummary')) }), { functions: [SUMMARY_EXAMPLE] }),
          ...managed(),
        },
      },
    },
    handler: async (request) => {
      const origin = originOf(request.raw, context.options.trustProxy)
      const records = await context.deps.functions.list()
      const known = await Promise.all(records.map((record) => liveVersion(context, record)))
      return {
        functions: records.flatMap((record, index) => {
          const version = known[index]
          return version === undefined ? [] : [summarize(context, { record, version, origin })]
        }),
      }
    },
  })
}

function statusRoute(app: FastifyInstance, context: GatewayContext): void {
  app.get('/v1/functions/:name', {
    config: {
      openapi: {
        tags: ['Functions'],
        operationId: 'getFunction',
        summary: 'How a function is',
        description: 'Sandboxes and starts are those of the invoker that this gateway works with.',
        parameters: [NAME],
        responses: {
          200: json('Its status', ref('FunctionStatus'), {
            ...SUMMARY_EXAMPLE,
            state: 'paused',
            runtime: 'node',
            spec: { runtime: 'node', memoryMiB: 256 },
            sandboxes: { starting: 0, idle: 0, paused: 1, hibernated: 0, busy: 0, draining: 0, generic: 1 },
            memory: { paused: { countedMiB: 256, residentBytes: 18_874_368 } },
            wakes: { paused: { count: 2, totalMs: 1.8, lastMs: 0.9, medianMs: 0.9 } },
            waiting: 0,
            queued: 0,
            starts: { cold: 1, specialized: 0, warm: 41 },
            lastStarts: [{ at: 1_795_000_300_000, kind: 'cold', startMs: 12.4 }],
            keepAlive: {
              basis: 'histogram',
              why: 'most of 120 idle times of less than 4 h are alike',
              idleTimes: 120,
              until: 1_795_000_366_000,
            },
          }),
          ...managed('invalid-name', 'function-not-found'),
        },
      },
    },
    handler: async (request) => {
      const name = parseFunctionName(paramsOf<'name'>(request).name)
      const { functions, invoker, lanes } = context.deps
      const record = await functions.get(name)
      if (record === undefined) throw functionNotFound(name)
      const [version, queued] = await Promise.all([functions.version(name, record.live), lanes.depth(name)])
      if (version === undefined) throw versionNotFound(name, record.live)
      const origin = originOf(request.raw, context.options.trustProxy)
      const { sandboxes, waiting, ...rest } = invoker.activity(version)
      const summary = summarize(context, { record, version, origin })
      return { ...summary, spec: version.spec, sandboxes, waiting, queued, ...rest }
    },
  })
}

function removeRoute(app: FastifyInstance, context: GatewayContext): void {
  app.delete('/v1/functions/:name', {
    config: {
      openapi: {
        tags: ['Functions'],
        operationId: 'removeFunction',
        summary: 'Remove a function',
        description: 'With its versions and what waits in its lane. Calls that run are let finish; records stay.',
        parameters: [NAME],
        responses: { 204: { description: 'Removed' }, ...managed('invalid-name', 'function-not-found') },
      },
    },
    handler: async (request, reply) => {
      const name = parseFunctionName(paramsOf<'name'>(request).name)
      const { functions, lanes } = context.deps
      if (!(await functions.remove(name))) throw functionNotFound(name)
      context.directory.forget(name)
      await lanes.remove(name)
      return reply.code(204).send()
    },
  })
}

/** Undefined when the function was removed meanwhile. */
async function liveVersion(context: GatewayContext, { name }: FunctionRecord): Promise<FunctionVersion | undefined> {
  try {
    return await context.directory.resolve(name)
  } catch (error) {
    if (error instanceof PlatformError && error.status === 404) return undefined
    throw error
  }
}

interface Described {
  readonly record: FunctionRecord
  readonly version: FunctionVersion
  readonly origin: string
}

function summarize(context: GatewayContext, { record, version, origin }: Described): object {
  return {
    function: record.name,
    version: version.number,
    state: stateOf(context.deps.invoker.activity(version).sandboxes),
    runtime: version.spec.runtime,
    url: `${origin}/fn/${record.name}`,
    createdAt: record.createdAt,
    updatedAt: record.updatedAt,
  }
}

type FunctionState = 'cold' | 'starting' | 'warm' | 'busy' | 'paused' | 'hibernated'

function stateOf({ starting, idle, busy, paused, hibernated }: SandboxCounts): FunctionState {
  if (idle > 0) return 'warm'
  if (busy > 0) return 'busy'
  if (paused > 0) return 'paused'
  if (hibernated > 0) return 'hibernated'
  return starting > 0 ? 'starting' : 'cold'
}
