// What a caller may say about an asynchronous invocation, beyond headers and body: one table is the source of the
// parser and of the API's description.
import { PlatformError } from '#core/errors'
import type { FunctionSpec } from '#core/function'
import { TARGET_EXPECTED, TARGET_PATTERN } from '#core/limits'
import { nearest } from '#core/nearest'
import { MAX_PRIORITY } from '#core/queue'
import type { RetryPolicy } from '#core/queue'
import { retryPolicyOf } from '#core/spec'
import { SPEC_FIELDS } from '#core/spec-fields'
import { parseTimestamp } from '#core/timestamp'

export type OptionField = { readonly description: string } & (
  | { readonly type: 'integer'; readonly minimum: number; readonly maximum: number }
  | { readonly type: 'choice'; readonly choices: readonly string[] }
  | { readonly type: 'time' | 'path' }
)

const YEAR_MS = 365 * 86_400_000
const { maxAgeMs, maxAttempts, retryBackoff, retryDelayMs, retryMaxDelayMs } = SPEC_FIELDS

export const SUBMIT_FIELDS = {
  path: { type: 'path', description: 'Path and query for the function. Default: /' },
  delayMs: { type: 'integer', minimum: 0, maximum: YEAR_MS, description: 'Not to be run before so many ms are over' },
  runAt: { type: 'time', description: 'Not to be run before: RFC 3339 or ms since the epoch' },
  priority: {
    type: 'integer',
    minimum: 0,
    maximum: MAX_PRIORITY,
    description: 'Higher ones of the function come first. Default: 0',
  },
  maxAgeMs: { ...maxAgeMs, description: 'Ends as expired when it could not start for so long, ms; 0: it waits' },
  maxAttempts: { ...maxAttempts, description: 'Tries, the first included' },
  retryBackoff: { ...retryBackoff, description: 'How the delay between tries grows' },
  retryDelayMs: { ...retryDelayMs, description: 'Delay before the second try, ms' },
  retryMaxDelayMs: { ...retryMaxDelayMs, description: 'Longest delay between tries, ms' },
} as const satisfies Record<string, OptionField>

type FieldName = keyof typeof SUBMIT_FIELDS

export interface SubmitOptions {
  /** ms since the epoch; undefined: at once */
  readonly notBefore: number | undefined
  /** 0: no limit */
  readonly maxAgeMs: number
  readonly priority: number
  readonly retry: RetryPolicy
}

export function defaultOptions(spec: FunctionSpec): SubmitOptions {
  return { notBefore: undefined, maxAgeMs: spec.maxAgeMs, priority: 0, retry: retryPolicyOf(spec) }
}

/**
 * The options of one invocation, from a query string or from JSON; what is not said is as the spec says.
 * @param now ms since the epoch
 * @throws PlatformError `invalid-request`, naming the field
 */
export function parseOptions(
  input: Readonly<Record<string, unknown>>,
  spec: FunctionSpec,
  now: number,
): SubmitOptions & { readonly target: string } {
  const values: Partial<Record<FieldName, unknown>> = {}
  for (const [name, value] of Object.entries(input)) {
    if (!Object.hasOwn(SUBMIT_FIELDS, name)) throw unknownField(name)
    values[name as FieldName] = parseField(name as FieldName, value)
  }
  const policy = retryPolicyOf(spec)
  const retry: RetryPolicy = {
    maxAttempts: (values.maxAttempts ?? policy.maxAttempts) as number,
    backoff: (values.retryBackoff ?? policy.backoff) as RetryPolicy['backoff'],
    delayMs: (values.retryDelayMs ?? policy.delayMs) as number,
    maxDelayMs: (values.retryMaxDelayMs ?? policy.maxDelayMs) as number,
  }
  if (retry.delayMs > retry.maxDelayMs) {
    throw refused('retryDelayMs', `at most retryMaxDelayMs (${retry.maxDelayMs})`, retry.delayMs)
  }
  return {
    target: (values.path ?? '/') as string,
    notBefore: startOf(values.delayMs as number | undefined, values.runAt as number | undefined, now),
    maxAgeMs: (values.maxAgeMs ?? spec.maxAgeMs) as number,
    priority: (values.priority ?? 0) as number,
    retry,
  }
}

/** Undefined when it is now or was. */
function startOf(delayMs: number | undefined, runAt: number | undefined, now: number): number | undefined {
  if (delayMs !== undefined && runAt !== undefined) {
    throw refused('runAt', 'given without delayMs, which says the same', runAt)
  }
  const at = runAt ?? now + (delayMs ?? 0)
  if (at - now > YEAR_MS) throw refused('runAt', 'at most 365 days from now', at)
  return at > now ? at : undefined
}

function parseField(name: FieldName, value: unknown): unknown {
  const field: OptionField = SUBMIT_FIELDS[name]
  switch (field.type) {
    case 'integer': {
      const number = typeof value === 'string' && /^\d+$/.test(value) ? Number(value) : value
      const { minimum, maximum } = field
      if (Number.isSafeInteger(number) && (number as number) >= minimum && (number as number) <= maximum) return number
      throw refused(name, `an integer in [${minimum}, ${maximum}]`, value)
    }
    case 'choice':
      if (typeof value === 'string' && field.choices.includes(value)) return value
      throw refused(name, `one of ${field.choices.join(', ')}`, value)
    case 'time':
      return parseTime(name, value)
    case 'path':
      // A path that could break out of the request line is refused, nothing else is interpreted.
      if (typeof value === 'string' && TARGET_PATTERN.test(value)) return value
      throw refused(name, TARGET_EXPECTED, value)
    default:
      return field satisfies never
  }
}

/** ms since the epoch. @throws PlatformError `invalid-request` */
export function parseTime(name: string, value: unknown): number {
  const text = typeof value === 'number' ? String(value) : value
  if (typeof text === 'string') {
    const ms = /^\d{1,15}$/.test(text) ? Number(text) : parseTimestamp(text)
    if (ms !== undefined) return ms
  }
  throw refused(name, 'a time as RFC 3339 (2026-11-20T09:30:00Z) or in ms since the epoch', value)
}

function unknownField(name: string): PlatformError {
  const known = Object.keys(SUBMIT_FIELDS)
  const near = nearest(name, known)
  const advice = near === undefined ? `those known are ${known.join(', ')}` : `did you mean ${near}?`
  return new PlatformError('invalid-request', {
    detail: `unknown option ${JSON.stringify(name.slice(0, 80))}: ${advice}`,
    members: { field: name.slice(0, 80) },
  })
}

function refused(name: string, expected: string, received: unknown): PlatformError {
  const shown = JSON.stringify(received) ?? String(received)
  return new PlatformError('invalid-request', {
    detail: `${name} must be ${expected}: received ${shown.slice(0, 200)}`,
    members: { field: name },
  })
}
