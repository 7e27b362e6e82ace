// /v1/functions and /v1/functions/{name}: which there are, how they are, and their end.
import type { FastifyInstance } from 'fastify'

import type { DeliveryNote } from '#core/destination'
import { PlatformError } from '#core/errors'
import type { FunctionRecord, FunctionVersion } from '#core/function'
import { parseFunctionName } from '#core/ids'
import type { FunctionName } from '#core/ids'
import type { SandboxCounts } from '#core/invoker'
import type { InvocationRecord } from '#core/record'

import { functionNotFound, versionNotFound } from '../directory.ts'
import { originOf } from '../invoke/headers.ts'
import { integer, json, list, managed, NAME, object, queryParam, ref } from '../openapi/operation.ts'
import type { GatewayContext } from './context.ts'
import { paramsOf, queryOf } from './context.ts'
import { parseLimit } from './query.ts'

const DEFAULT_LIMIT = 100
const MAX_LIMIT = 1000
/** Records that are written together. */
const PAGE = 500

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
        parameters: [
          queryParam('limit', integer('Functions a page', { minimum: 1, maximum: MAX_LIMIT, default: DEFAULT_LIMIT })),
          queryParam('cursor', { type: 'string', description: '`next` of the page before' }),
        ],
        responses: {
          200: json('By name', object({ functions: list(ref('FunctionSummary')) }, { next: { type: 'string' } }), {
            functions: [SUMMARY_EXAMPLE],
          }),
          ...managed('invalid-request'),
        },
      },
    },
    handler: async (request) => {
      const origin = originOf(request.raw, context.options.trustProxy)
      const query = queryOf(request)
      const limit = parseLimit(query.limit, DEFAULT_LIMIT, MAX_LIMIT)
      const page = { after: String(query.cursor ?? ''), limit: limit + 1 }
      const [records, hasMore] = cut(await context.deps.functions.list(page), limit)
      const known = await Promise.all(records.map((record) => liveVersion(context, record)))
      const functions = records.flatMap((record, index) => {
        const version = known[index]
        return version === undefined ? [] : [summarize(context, { record, version, origin })]
      })
      return hasMore ? { functions, next: records.at(-1)?.name } : { functions }
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
            lane: { waiting: 12, delayed: 3, running: 8, oldestAt: 1_795_000_299_000, deadLetters: 0 },
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
      const { functions, invoker } = context.deps
      const record = await functions.get(name)
      if (record === undefined) throw functionNotFound(name)
      const [version, lane] = await Promise.all([functions.version(name, record.live), laneOf(context, name)])
      if (version === undefined) throw versionNotFound(name, record.live)
      const origin = originOf(request.raw, context.options.trustProxy)
      const { sandboxes, waiting, ...rest } = invoker.activity(version)
      const summary = summarize(context, { record, version, origin })
      return { ...summary, spec: version.spec, sandboxes, waiting, lane, ...rest }
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
        description: `With its versions and what is in its lane: async invocations end as cancelled. Calls at its URL are let finish;
records and dead letters stay.`,
        parameters: [NAME],
        responses: { 204: { description: 'Removed' }, ...managed('invalid-name', 'function-not-found') },
      },
    },
    handler: async (request, reply) => {
      const name = parseFunctionName(paramsOf<'name'>(request).name)
      const removed = await context.deps.functions.remove(name)
      context.directory.forget(name)
      // Also when it was gone: a removal that was cut off is gone on with.
      await dropLanes(context, name)
      if (!removed) throw functionNotFound(name)
      return reply.code(204).send()
    },
  })
}

async function laneOf({ deps }: GatewayContext, name: FunctionName): Promise<object> {
  const [state, deadLetters] = await Promise.all([deps.lanes.state(name), deps.deadLetters.count(name)])
  return { ...state, deadLetters }
}

/** One more than the page was asked for. */
function cut<T>(items: readonly T[], limit: number): readonly [readonly T[], boolean] {
  return [items.slice(0, limit), items.length > limit]
}

/** What was in its lanes is dropped, and its records say so. */
async function dropLanes({ deps }: GatewayContext, name: FunctionName): Promise<void> {
  const { lanes, records, clock } = deps
  await lanes.remove(name, async (lane, ids) => {
    const ended = lane === name ? cancelled : undelivered
    for (let from = 0; from < ids.length; from += PAGE) {
      const found = await Promise.all(ids.slice(from, from + PAGE).map((id) => records.get(id)))
      const changed = found.flatMap((record) => (record === undefined ? [] : ended(record, clock.now())))
      await Promise.all(changed.map((record) => records.save(record)))
    }
  })
}

function cancelled(record: InvocationRecord, now: number): InvocationRecord[] {
  if (record.state !== 'queued' && record.state !== 'running') return []
  const error = { code: 'cancelled', message: 'the function was removed before it ran' } as const
  return [{ ...record, state: 'cancelled', finishedAt: now, error }]
}

function undelivered(record: InvocationRecord, now: number): InvocationRecord[] {
  if (record.deliveries === undefined) return []
  const end = (note: DeliveryNote): DeliveryNote =>
    note.state === 'pending' ? { ...note, state: 'failed', at: now, error: 'the function was removed' } : note
  return [{ ...record, deliveries: record.deliveries.map(end) }]
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
