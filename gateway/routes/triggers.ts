// /v1/triggers: what binds event sources to functions.
import type { FastifyInstance, FastifyRequest } from 'fastify'

import { asPlatformError, PlatformError } from '#core/errors'
import { parseTriggerName, type TriggerName } from '#core/ids'
import type { Trigger, TriggerSpec, TriggerStatus } from '#core/trigger'

import { json, list, managed, object, ref } from '../openapi/operation.ts'
import type { Operation } from '../openapi/operation.ts'
import { TRIGGER } from '../openapi/trigger-schemas.ts'
import { SOURCES } from '../sources/catalogue.ts'
import { hideSecrets, parseTriggerSpec } from '../triggers/spec.ts'
import type { GatewayContext } from './context.ts'
import { paramsOf } from './context.ts'

/** Of a filter with everything in it. */
const MAX_SPEC_BYTES = 1024 * 1024

export function triggerRoutes(app: FastifyInstance, context: GatewayContext): void {
  const { triggers } = context.deps
  app.get('/v1/triggers', {
    config: { openapi: LIST },
    handler: async () => ({
      triggers: await Promise.all((await triggers.list()).map((trigger) => describe(context, trigger))),
    }),
  })
  app.get('/v1/triggers/:name', {
    config: { openapi: GET },
    handler: async (request) => describe(context, await existing(context, nameOf(request))),
  })
  putRoute(app, context)
  switchRoutes(app, context)
  app.delete('/v1/triggers/:name', {
    config: { openapi: REMOVE },
    handler: async (request, reply) => {
      const name = nameOf(request)
      if (!(await triggers.remove(name))) throw triggerNotFound(name)
      await settle(context, name)
      return reply.code(204).send()
    },
  })
}

function putRoute(app: FastifyInstance, context: GatewayContext): void {
  const { triggers, clock } = context.deps
  app.put('/v1/triggers/:name', {
    bodyLimit: MAX_SPEC_BYTES,
    config: { openapi: PUT },
    handler: async (request, reply) => {
      const name = nameOf(request)
      const before = await triggers.get(name)
      const spec = parseTriggerSpec(jsonOf(request), SOURCES, before?.spec)
      await context.directory.resolve(spec.function)
      const { trigger, created } = await triggers.put(name, spec, clock.now())
      await settle(context, name)
      return reply.code(created ? 201 : 200).send(await describe(context, trigger))
    },
  })
}

function switchRoutes(app: FastifyInstance, context: GatewayContext): void {
  const { triggers, clock } = context.deps
  for (const [verb, enabled] of [
    ['enable', true],
    ['disable', false],
  ] as const) {
    app.post(`/v1/triggers/:name/${verb}`, {
      config: { openapi: enabled ? ENABLE : DISABLE },
      handler: async (request) => {
        const { name, spec } = await existing(context, nameOf(request))
        const { trigger } = await triggers.put(name, { ...spec, enabled }, clock.now())
        await settle(context, name)
        return describe(context, trigger)
      },
    })
  }
}

/**
 * From now on this process does as the change says. A source that is closed may take its time about it; webhooks and the
 * bus are used at once by whoever made the change.
 */
async function settle({ triggers }: GatewayContext, name: TriggerName): Promise<void> {
  const isPulled = SOURCES[triggers.served(name)?.trigger.spec.kind ?? 'events']?.delivery === 'pull'
  const settled = triggers.refresh(name)
  if (!isPulled) await settled
}

async function describe(context: GatewayContext, trigger: Trigger): Promise<object> {
  const { deps, triggers } = context
  const { name, spec, revision, createdAt, updatedAt } = trigger
  // Whoever has just sent an event looks for it here.
  await triggers.served(name)?.tally.flush()
  const [status = UNSERVED, trouble] = await Promise.all([deps.triggers.status(name), troubleWith(context, spec)])
  return {
    name,
    spec: hideSecrets(spec, SOURCES),
    status: spec.enabled ? { ...status, ...trouble } : { ...status, state: 'disabled' },
    revision,
    createdAt,
    updatedAt,
  }
}

/** Nothing comes of its events, which the process that serves it may not have noticed yet. */
async function troubleWith(
  { directory }: GatewayContext,
  spec: TriggerSpec,
): Promise<Pick<TriggerStatus, 'state' | 'reason'> | undefined> {
  try {
    await directory.resolve(spec.function)
    return undefined
  } catch (error) {
    const { code, message } = asPlatformError(error)
    if (code !== 'function-not-found') throw error
    return { state: 'failing', reason: message }
  }
}

const UNSERVED: TriggerStatus = {
  state: 'starting',
  underWay: 0,
  received: 0,
  matched: 0,
  invocations: 0,
  redelivered: 0,
  failed: 0,
  at: 0,
}

async function existing({ deps }: GatewayContext, name: TriggerName): Promise<Trigger> {
  const trigger = await deps.triggers.get(name)
  if (trigger === undefined) throw triggerNotFound(name)
  return trigger
}

function triggerNotFound(name: TriggerName): PlatformError {
  return new PlatformError('trigger-not-found', { detail: `no trigger has the name ${JSON.stringify(name)}` })
}

function nameOf(request: FastifyRequest): TriggerName {
  return parseTriggerName(paramsOf<'name'>(request).name)
}

function jsonOf({ body }: FastifyRequest): unknown {
  const text = Buffer.from((body ?? new Uint8Array(0)) as Uint8Array).toString()
  try {
    return JSON.parse(text)
  } catch (error) {
    throw new PlatformError('invalid-trigger', { detail: `expected a JSON object: ${(error as Error).message}` })
  }
}

const EXAMPLE = {
  name: 'nightly',
  spec: {
    kind: 'schedule',
    function: 'hello-js',
    enabled: true,
    path: '/',
    batchSize: 1,
    batchWindowMs: 0,
    concurrency: 1,
    mode: 'binary',
    maxAgeMs: 0,
    retry: { maxAttempts: 3, backoff: 'exponential', delayMs: 1000, maxDelayMs: 300_000 },
    source: { cron: '0 3 * * *', timeZone: 'Europe/Berlin', every: '', at: '', missed: 'once', data: '' },
  },
  status: {
    state: 'listening',
    underWay: 0,
    received: 12,
    matched: 12,
    invocations: 12,
    redelivered: 0,
    failed: 0,
    nextAt: 1_795_050_000_000,
    at: 1_795_000_000_000,
  },
  revision: 1,
  createdAt: 1_794_000_000_000,
  updatedAt: 1_794_000_000_000,
}
const ONE = json('As it is now; secrets are shown as ***', ref('Trigger'), EXAMPLE)

const LIST: Operation = {
  tags: ['Events'],
  operationId: 'listTriggers',
  summary: 'List the triggers',
  responses: {
    200: json('By name', object({ triggers: list(ref('Trigger')) }), { triggers: [EXAMPLE] }),
    ...managed(),
  },
}

const GET: Operation = {
  tags: ['Events'],
  operationId: 'getTrigger',
  summary: 'How a trigger is',
  parameters: [TRIGGER],
  responses: { 200: ONE, ...managed('invalid-name', 'trigger-not-found') },
}

const PUT: Operation = {
  tags: ['Events'],
  operationId: 'putTrigger',
  summary: 'Make or change a trigger',
  description: `The body is the whole spec; what it leaves out has its default. A secret that is \`***\` stays what it is, so
what GET answered can be sent back.`,
  parameters: [TRIGGER],
  requestBody: {
    required: true,
    content: {
      'application/json': {
        schema: ref('TriggerSpec'),
        example: { kind: 'schedule', function: 'hello-js', source: { cron: '0 3 * * *', timeZone: 'Europe/Berlin' } },
      },
    },
  },
  responses: {
    200: ONE,
    201: json('Made', ref('Trigger'), EXAMPLE),
    ...managed('invalid-name', 'invalid-trigger', 'function-not-found', 'payload-too-large'),
  },
}

const ENABLE: Operation = switchOperation('enableTrigger', 'Let a trigger receive')
const DISABLE: Operation = switchOperation('disableTrigger', 'Stop a trigger; it keeps its place at the source')

function switchOperation(operationId: string, summary: string): Operation {
  return {
    tags: ['Events'],
    operationId,
    summary,
    parameters: [TRIGGER],
    responses: { 200: ONE, ...managed('invalid-name', 'trigger-not-found') },
  }
}

const REMOVE: Operation = {
  tags: ['Events'],
  operationId: 'removeTrigger',
  summary: 'Remove a trigger',
  description: 'With its status and its position. Invocations that were queued run all the same.',
  parameters: [TRIGGER],
  responses: { 204: { description: 'Removed' }, ...managed('invalid-name', 'trigger-not-found') },
}
