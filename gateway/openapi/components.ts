// The schemas that several operations share.
import { SPEC_FIELDS } from '#core/spec-fields'
import type { SpecField } from '#core/spec-fields'

import type { OptionField } from '../accept/options.ts'
import { invocationSchemas } from './invocation-schemas.ts'
import { ERROR_CODES, integer, list, MS, object, ref, START_KIND, string, TIME } from './operation.ts'
import type { Schema } from './operation.ts'
import { triggerSchemas } from './trigger-schemas.ts'

export function components(): Readonly<Record<string, Schema>> {
  return { ...functionSchemas(), ...invocationSchemas(), ...triggerSchemas(), Problem: problemSchema() }
}

function functionSchemas(): Record<string, Schema> {
  const version = object({
    function: string('Name'),
    version: integer('1 for the first'),
    digest: string('SHA-256 over code and spec'),
    spec: ref('FunctionSpec'),
    files: list(object({ path: string('Relative'), size: integer('bytes'), digest: string('SHA-256') })),
    toolchain: string('What built it'),
    createdAt: TIME,
  })
  const summary = {
    function: string('Name'),
    version: integer('The live version'),
    state: string(
      '`cold`: no sandbox. `starting`: the first is on its way. `warm`: one is idle. `busy`: all run calls. ' +
        '`paused`, `hibernated`: all are idle and sleep, the lightest sleeper so deep',
      {
        enum: ['cold', 'starting', 'warm', 'busy', 'paused', 'hibernated'],
      },
    ),
    runtime: { type: 'string', enum: SPEC_FIELDS.runtime.choices },
    url: string('Where it is called'),
    createdAt: TIME,
    updatedAt: TIME,
  }
  const lastStart = object({ at: TIME, kind: START_KIND, startMs: MS })
  const { sandboxes, memory, wakes } = sandboxSchemas()
  const activity = {
    sandboxes,
    memory,
    wakes,
    waiting: integer('Calls that wait for room'),
    lane: laneSchema(),
    starts: object({ cold: integer(''), specialized: integer(''), warm: integer('') }),
    lastStarts: list(lastStart),
  }
  const { keepAlive, latency } = decisions()
  return {
    FunctionSpec: { type: 'object', additionalProperties: false, properties: specProperties() },
    FunctionSummary: object(summary),
    FunctionStatus: object(
      { ...summary, spec: ref('FunctionSpec'), ...activity, keepAlive },
      { latency, notHibernated: string('Why a sandbox that was to be hibernated was not, the last time') },
    ),
    FunctionVersion: version,
    Deployed: object({
      function: string('Name'),
      version: integer('The version that is live now'),
      created: { type: 'boolean', description: 'False when code and spec were those of the live version' },
      digest: string('SHA-256 over code and spec'),
      url: string('Where it is called'),
      createdAt: TIME,
    }),
  }
}

/** Of a status: what sandboxes there are, what they hold, and what it took to wake those that slept. */
function sandboxSchemas(): { readonly sandboxes: Schema; readonly memory: Schema; readonly wakes: Schema } {
  const states = {
    starting: 'Those that are being woken included',
    idle: 'Warm, without a call',
    paused: 'Without a call for a while: stopped where they are',
    hibernated: 'Paused, and their memory moved to swap',
    busy: 'With calls',
    draining: 'They end with their calls',
    generic: 'Without code, in stock for the next start',
  }
  const memory = object(
    { countedMiB: integer('What they count with in HEARTH_MEMORY_MIB') },
    { residentBytes: integer('What they hold now, where that is known, bytes') },
  )
  const wake = object({ count: integer(''), totalMs: MS, lastMs: MS, medianMs: MS })
  const described = Object.entries(states)
  return {
    sandboxes: object(Object.fromEntries(described.map(([state, description]) => [state, integer(description)]))),
    memory: object({}, Object.fromEntries(described.map(([state]) => [state, memory]))),
    wakes: object({}, { paused: wake, hibernated: wake }),
  }
}

function laneSchema(): Schema {
  return object(
    {
      waiting: integer('Async invocations that can run now'),
      delayed: integer('Those that are to run later: delayed, or tried again'),
      running: integer('Over all invokers'),
      deadLetters: integer(''),
    },
    { oldestAt: { ...TIME, description: 'When the one that waits longest was accepted, ms since the epoch' } },
  )
}

/** Of a status: why sandboxes stay. */
function decisions(): { readonly keepAlive: Schema; readonly latency: Schema } {
  const keepAlive = object(
    {
      basis: string('What decided', { enum: ['fixed', 'standard', 'histogram', 'forecast'] }),
      why: string(''),
      idleTimes: integer('Idle times that are remembered'),
    },
    {
      until: { ...TIME, description: 'Until when it stays loaded without a call, ms since the epoch' },
      loadAt: { ...TIME, description: 'When it is loaded again ahead of the next call, ms since the epoch' },
    },
  )
  const latency = object(
    {
      targetMs: MS,
      verdict: string('`unknown`: too few calls', { enum: ['meets', 'misses', 'unknown'] }),
      sandboxes: integer('Warm sandboxes that are kept for it'),
      why: string(''),
    },
    { p95Ms: { type: 'number', description: '95th percentile of waiting, starting and running together, ms' } },
  )
  return { keepAlive, latency }
}

function problemSchema(): Schema {
  const members = {
    type: string('URI of the kind of problem', { format: 'uri' }),
    title: string('The same for every occurrence'),
    status: integer('HTTP status'),
    code: { type: 'string', enum: ERROR_CODES, description: 'Stable; also in the header hearth-error' },
    detail: string('What was expected and what was received'),
    advice: string('What can be done about it'),
    retryable: { type: 'boolean', description: 'Whether the same request may succeed later' },
  }
  const diagnostic = object(
    { message: string('') },
    { file: string(''), line: integer('From 1'), column: integer('From 1'), excerpt: string('The source line') },
  )
  const optional = { instance: string('Id of the request', { format: 'uri' }), diagnostics: list(diagnostic) }
  return { ...object(members, optional), description: 'RFC 9457' }
}

/** From the table that the parser works by. */
export function specProperties(): Record<string, Schema> {
  return Object.fromEntries(Object.entries(SPEC_FIELDS).map(([name, field]) => [name, fieldSchema(field)]))
}

/** Of an async invocation: what is not said is as in the spec of the function. */
export function optionSchema(field: OptionField): Schema {
  const { description } = field
  switch (field.type) {
    case 'integer':
      return { type: 'integer', minimum: field.minimum, maximum: field.maximum, description }
    case 'choice':
      return { type: 'string', enum: field.choices, description }
    case 'time':
      return { oneOf: [{ type: 'integer' }, { type: 'string', format: 'date-time' }], description }
    case 'path':
      return { type: 'string', pattern: '^/', description }
    default:
      return field satisfies never
  }
}

function fieldSchema(field: SpecField): Schema {
  const { description, default: preset } = field
  switch (field.type) {
    case 'integer':
      return { type: 'integer', minimum: field.minimum, maximum: field.maximum, default: preset, description }
    case 'choice':
      return { type: 'string', enum: field.choices, default: preset, description }
    case 'auto-or-duration':
    case 'text':
      return { type: 'string', pattern: field.pattern.source, default: preset, description }
    case 'list':
      return { ...list({ type: 'string', pattern: field.pattern.source }), default: preset, description }
    case 'map':
      return {
        type: 'object',
        propertyNames: { pattern: field.keyPattern.source },
        additionalProperties: { type: 'string' },
        default: preset,
        description,
      }
    default:
      return field satisfies never
  }
}
