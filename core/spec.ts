// Reads a function spec from untrusted input. Its fields are in spec-fields.ts.
import { parseDestination } from './destination.ts'
import { formatDuration, parseDuration } from './duration.ts'
import { parseEgressRules } from './egress.ts'
import { PlatformError } from './errors.ts'
import type { FunctionSpec, RuntimeName } from './function.ts'
import type { RetryPolicy } from './queue.ts'
import { SPEC_FIELDS, type SpecField } from './spec-fields.ts'

type FieldName = keyof typeof SPEC_FIELDS

/** Where the default depends on the runtime. */
const RUNTIME_DEFAULTS: Readonly<Record<RuntimeName, Partial<FunctionSpec>>> = {
  js: { memoryMiB: 64, concurrency: 8 },
  wasm: { memoryMiB: 64, instances: 'fresh' },
  node: { concurrency: 16 },
  python: {},
}

/**
 * A complete spec from a partial one. Numbers may come as text (from a query string).
 * @param input what the user wrote; unknown fields are refused
 * @param implied the runtime that the uploaded code implies
 * @throws PlatformError `invalid-spec`, naming the field, what was expected and what was received
 */
export function parseSpec(input: Readonly<Record<string, unknown>>, implied: RuntimeName): FunctionSpec {
  const unknown = Object.keys(input).find((key) => !Object.hasOwn(SPEC_FIELDS, key))
  if (unknown !== undefined) {
    throw new PlatformError('invalid-spec', {
      detail: `unknown field ${JSON.stringify(unknown)}: the fields are ${Object.keys(SPEC_FIELDS).join(', ')}`,
    })
  }
  const runtime = input.runtime === undefined ? implied : (parseField('runtime', input.runtime) as RuntimeName)
  const defaults: Partial<Record<FieldName, unknown>> = RUNTIME_DEFAULTS[runtime]
  const fields = Object.fromEntries(
    Object.entries(SPEC_FIELDS).map(([key, field]) => {
      const name = key as FieldName
      const value = input[name]
      return [name, value === undefined ? (defaults[name] ?? field.default) : parseField(name, value)]
    }),
  )
  const { keepAliveMs, ...spec } = fields as unknown as FunctionSpec & { keepAliveMs: number | undefined }
  if (keepAliveMs !== undefined && input.keepAlive !== undefined) {
    throw refused('keepAlive', `given without keepAliveMs (${keepAliveMs}), which says the same`, input.keepAlive)
  }
  const keepAlive = keepAliveMs === undefined ? spec.keepAlive : formatDuration(keepAliveMs)
  return checkTogether({ ...spec, runtime, keepAlive, env: sorted(spec.env) })
}

/** The duration of a `keepAlive`; undefined for `auto`. */
export function keepAliveMsOf({ keepAlive }: Pick<FunctionSpec, 'keepAlive'>): number | undefined {
  return parseDuration(keepAlive)
}

function parseField(name: FieldName, value: unknown): unknown {
  const field: SpecField = SPEC_FIELDS[name]
  switch (field.type) {
    case 'integer': {
      const number = typeof value === 'string' && value.trim() !== '' ? Number(value) : value
      if (Number.isSafeInteger(number) && (number as number) >= field.minimum && (number as number) <= field.maximum)
        return number
      throw refused(name, `an integer in [${field.minimum}, ${field.maximum}]`, value)
    }
    case 'auto-or-duration': {
      const ms = typeof value === 'string' ? parseDuration(value) : undefined
      if (value === 'auto') return value
      if (ms !== undefined && ms <= field.maximumMs) return formatDuration(ms)
      throw refused(name, `auto or a duration of at most ${formatDuration(field.maximumMs)}, such as 90s`, value)
    }
    case 'choice':
      if (typeof value === 'string' && field.choices.includes(value)) return value
      throw refused(name, `one of ${field.choices.join(', ')}`, value)
    case 'text':
      if (typeof value === 'string' && field.pattern.test(value)) return value
      throw refused(name, `text that matches ${field.pattern.source}`, value)
    case 'list': {
      const list = typeof value === 'string' ? value.split(',').filter(Boolean) : value
      if (Array.isArray(list) && list.every((item) => typeof item === 'string' && field.pattern.test(item))) return list
      throw refused(name, `a list of texts that match ${field.pattern.source}`, value)
    }
    case 'map':
      return parseMap(name, field.keyPattern, value)
    default:
      return field satisfies never
  }
}

function parseMap(name: FieldName, keyPattern: RegExp, value: unknown): unknown {
  const expected = `an object of texts whose names match ${keyPattern.source}`
  let map = value
  if (typeof value === 'string') {
    try {
      map = JSON.parse(value)
    } catch {
      throw refused(name, expected, value)
    }
  }
  if (typeof map !== 'object' || map === null || Array.isArray(map)) throw refused(name, expected, value)
  for (const [key, text] of Object.entries(map)) {
    if (!keyPattern.test(key) || typeof text !== 'string') throw refused(name, expected, { [key]: text })
  }
  return map
}

function checkTogether(spec: FunctionSpec): FunctionSpec {
  if (spec.minSandboxes > spec.maxSandboxes) {
    throw refused('minSandboxes', `at most maxSandboxes (${spec.maxSandboxes})`, spec.minSandboxes)
  }
  if (spec.isolation === 'fork' && spec.runtime !== 'python') {
    throw refused('isolation', `none for the runtime ${spec.runtime}: only python can fork`, spec.isolation)
  }
  if (spec.retryDelayMs > spec.retryMaxDelayMs) {
    throw refused('retryDelayMs', `at most retryMaxDelayMs (${spec.retryMaxDelayMs})`, spec.retryDelayMs)
  }
  checkEgress(spec.egress)
  for (const name of ['onSuccess', 'onFailure'] as const) checkDestination(name, spec[name])
  return spec
}

function checkEgress(egress: readonly string[]): void {
  try {
    parseEgressRules(egress)
  } catch (error) {
    throw refused('egress', `hosts, host:port or CIDR: ${(error as Error).message}`, egress)
  }
}

function checkDestination(name: FieldName, text: string): void {
  try {
    if (text !== '') parseDestination(text)
  } catch (error) {
    throw refused(name, `empty or a destination: ${(error as Error).message}`, text)
  }
}

/** Of an async invocation, unless it says otherwise. */
export function retryPolicyOf(spec: FunctionSpec): RetryPolicy {
  const { maxAttempts, retryBackoff, retryDelayMs, retryMaxDelayMs } = spec
  return { maxAttempts, backoff: retryBackoff, delayMs: retryDelayMs, maxDelayMs: retryMaxDelayMs }
}

function refused(name: string, expected: string, received: unknown): PlatformError {
  const shown = JSON.stringify(received) ?? String(received)
  return new PlatformError('invalid-spec', {
    detail: `${name} must be ${expected}: received ${shown.slice(0, 200)}`,
    members: { field: name },
  })
}

function sorted(map: Readonly<Record<string, string>>): Record<string, string> {
  return Object.fromEntries(Object.entries(map).toSorted(([a], [b]) => (a < b ? -1 : 1)))
}
