// Reads a trigger spec from untrusted input, and hides what is secret in one. One table is the source of the parser, the
// OpenAPI schema and the docs; what is particular to a kind is in the table of its source.
import { PlatformError } from '#core/errors'
import { parseFilter } from '#core/filter'
import { parseFunctionName } from '#core/ids'
import { TARGET_EXPECTED, TARGET_PATTERN } from '#core/limits'
import type { RetryPolicy } from '#core/queue'
import { SPEC_FIELDS } from '#core/spec-fields'
import { SOURCE_KINDS, type TriggerSpec } from '#core/trigger'

import type { SourceCatalogue } from '../sources/catalogue.ts'
import { HIDDEN, invalidField, parseFields, type SourceField, type SourceFields } from '../sources/fields.ts'
import type { EventSource } from '../sources/source.ts'

const HOUR_MS = 3_600_000
/** Longer ones would keep whoever sends an event waiting for its answer. */
export const LONGEST_PUSH_WINDOW_MS = 10_000

export const TRIGGER_FIELDS = {
  kind: {
    type: 'choice',
    choices: SOURCE_KINDS,
    default: 'events',
    required: true,
    description: 'What the events come from; `source` has the fields of the kind.',
  },
  function: {
    type: 'text',
    pattern: /^[a-z0-9-]{1,63}$/,
    expected: 'the name of a function',
    default: '',
    required: true,
    description: 'The function that gets the events.',
  },
  enabled: {
    type: 'flag',
    default: true,
    description: 'Whether events are received. A disabled trigger keeps its place at the broker.',
  },
  path: {
    type: 'text',
    pattern: TARGET_PATTERN,
    expected: TARGET_EXPECTED,
    default: '/',
    description: 'Path and query that the function sees.',
  },
  batchSize: {
    type: 'integer',
    minimum: 1,
    maximum: 1000,
    default: 1,
    description: 'Most events in one invocation; above 1 the function always gets a JSON batch.',
  },
  batchWindowMs: {
    type: 'integer',
    minimum: 0,
    maximum: 300_000,
    default: 0,
    description: 'How long an event waits for others to fill a batch, ms.',
  },
  concurrency: {
    type: 'integer',
    minimum: 0,
    maximum: 1000,
    default: 10,
    description: 'Most invocations that are not over; 1 keeps the order. Of http and events always 0: no limit.',
  },
  mode: {
    type: 'choice',
    choices: ['binary', 'structured'],
    default: 'binary',
    description: 'How a single event is sent: attributes as headers, or all as JSON.',
  },
  maxAgeMs: {
    type: 'integer',
    minimum: 0,
    maximum: 365 * 24 * HOUR_MS,
    default: 0,
    description: 'An invocation that could not start for so long ends as expired, ms; 0: it waits.',
  },
} as const satisfies SourceFields

const { maxAttempts, retryBackoff, retryDelayMs, retryMaxDelayMs } = SPEC_FIELDS
/** The fields of `retry`. */
export const RETRY_FIELDS = {
  maxAttempts,
  backoff: retryBackoff,
  delayMs: retryDelayMs,
  maxDelayMs: retryMaxDelayMs,
} as const satisfies Record<keyof RetryPolicy, SourceField>

type Input = Readonly<Record<string, unknown>>

/**
 * A complete spec from a partial one.
 * @param previous what a hidden secret stands for
 * @throws PlatformError `invalid-trigger`, naming the field, what was expected and what was received
 */
export function parseTriggerSpec(input: unknown, sources: SourceCatalogue, previous?: TriggerSpec): TriggerSpec {
  const { filter, retry = {}, source = {}, ...rest } = objectAt(input, 'the trigger')
  const kind = parseFields({ kind: TRIGGER_FIELDS.kind }, { kind: rest.kind }, '').kind
  const of = sources[kind]
  if (of === undefined) throw invalidField('kind', `one of ${Object.keys(sources).join(', ')}`, kind)
  const common = parseFields(TRIGGER_FIELDS, { ...of.defaults, ...rest }, '', ['filter', 'retry', 'source'])
  const kept = previous?.kind === kind ? previous.source : {}
  const options = parseFields(of.fields, revealed(of.fields, objectAt(source, 'source'), kept), 'source')
  of.check?.(options)
  const policy = parseFields(RETRY_FIELDS, objectAt(retry, 'retry'), 'retry')
  const spec: TriggerSpec = {
    ...common,
    function: parseFunctionName(common.function),
    filter: filter === undefined || filter === null ? undefined : parseFilter(filter),
    retry: policy,
    source: options,
  }
  return checkTogether(spec, of)
}

/** The spec as it may be shown. */
export function hideSecrets(spec: TriggerSpec, sources: SourceCatalogue): TriggerSpec {
  const fields: SourceFields = sources[spec.kind]?.fields ?? {}
  const source = Object.entries(spec.source).map(([name, value]) => [name, hidden(fields[name], value)])
  return { ...spec, source: Object.fromEntries(source) }
}

function checkTogether(spec: TriggerSpec, { delivery, kind }: EventSource): TriggerSpec {
  const { concurrency, batchWindowMs, retry } = spec
  if (retry.delayMs > retry.maxDelayMs) {
    throw invalidField('retry.delayMs', `at most retry.maxDelayMs (${retry.maxDelayMs})`, retry.delayMs)
  }
  if (delivery === 'pull' && concurrency === 0) throw invalidField('concurrency', `at least 1 for ${kind}`, concurrency)
  if (delivery === 'pull') return spec
  if (concurrency !== 0) {
    const advice = 'whoever sends the events is not held back; asyncConcurrency of the function limits what runs'
    throw invalidField('concurrency', `0 for ${kind}: ${advice}`, concurrency)
  }
  if (batchWindowMs > LONGEST_PUSH_WINDOW_MS) {
    const advice = 'whoever sends an event waits for its batch'
    throw invalidField('batchWindowMs', `at most ${LONGEST_PUSH_WINDOW_MS} for ${kind}: ${advice}`, batchWindowMs)
  }
  return spec
}

function objectAt(value: unknown, where: string): Input {
  if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value as Input
  throw new PlatformError('invalid-trigger', {
    detail: `${where} must be an object: received ${(JSON.stringify(value) ?? 'nothing').slice(0, 200)}`,
    members: { field: where },
  })
}

function hidden(field: SourceField | undefined, value: unknown): unknown {
  if (field === undefined) return HIDDEN
  if (field.type === 'url') return withPassword(String(value), () => HIDDEN)
  if (!isSecret(field)) return value
  if (Array.isArray(value)) return value.map(() => HIDDEN)
  return value === '' ? '' : HIDDEN
}

/** Input in which what was hidden is again what it stands for. */
function revealed(fields: SourceFields, input: Input, kept: Input): Input {
  const entries = Object.entries(input).map(([name, value]) => [name, reveal(fields[name], value, kept[name])])
  return Object.fromEntries(entries) as Input
}

function reveal(field: SourceField | undefined, value: unknown, kept: unknown): unknown {
  if (field?.type === 'url') {
    return withPassword(value, (password) => (password === HIDDEN ? passwordFor(String(value), kept) : password))
  }
  if (field === undefined || !isSecret(field)) return value
  if (!Array.isArray(value)) return value === HIDDEN ? known(kept) : value
  return value.map((item: unknown, index) => (item === HIDDEN ? known((kept as unknown[] | undefined)?.[index]) : item))
}

/** A password that is not shown does not go to another server either. */
function passwordFor(url: string, kept: unknown): string {
  const password = known(passwordOf(kept)) as string
  const [now, before] = [new URL(url), new URL(String(kept))]
  // A parameter may be another host.
  if (now.host === before.host && now.search === before.search) return password
  throw invalidField('source', `with the password where it was ${HIDDEN}, for the server is another one`, HIDDEN)
}

function known(kept: unknown): unknown {
  if (typeof kept === 'string' && kept !== '') return kept
  throw invalidField('source', `without ${HIDDEN} where there is no secret yet`, HIDDEN)
}

function isSecret(field: SourceField): boolean {
  return 'secret' in field && field.secret
}

/** A URL with another password, when it has one; anything else as it is. */
function withPassword(value: unknown, change: (password: string) => string): unknown {
  if (passwordOf(value) === '') return value
  const url = new URL(String(value))
  url.password = change(decodeURIComponent(url.password))
  return url.href
}

function passwordOf(value: unknown): string {
  return typeof value === 'string' && URL.canParse(value) ? decodeURIComponent(new URL(value).password) : ''
}
