// Reads a function spec from untrusted input. One table is the source of the parser, the OpenAPI schema and the docs.
import { parseDestination } from './destination.ts'
import { DURATION_PATTERN, formatDuration, parseDuration } from './duration.ts'
import { parseEgressRules } from './egress.ts'
import { PlatformError } from './errors.ts'
import type { FunctionSpec, RuntimeName } from './function.ts'
import type { RetryPolicy } from './queue.ts'

interface FieldBase {
  readonly description: string
}
export type SpecField = FieldBase &
  (
    | {
        readonly type: 'integer'
        readonly minimum: number
        readonly maximum: number
        /** Undefined: another field has it. */
        readonly default: number | undefined
      }
    /** `auto`, or a duration (duration.ts). */
    | {
        readonly type: 'auto-or-duration'
        readonly pattern: RegExp
        readonly maximumMs: number
        readonly default: string
      }
    | { readonly type: 'choice'; readonly choices: readonly string[]; readonly default: string }
    | { readonly type: 'text'; readonly pattern: RegExp; readonly default: string }
    | { readonly type: 'list'; readonly pattern: RegExp; readonly default: readonly string[] }
    | { readonly type: 'map'; readonly keyPattern: RegExp; readonly default: Readonly<Record<string, string>> }
  )

const HOUR_MS = 3_600_000
const LONGEST_KEEP_ALIVE_MS = 24 * HOUR_MS
const DESTINATION_PATTERN = /^(?:|events|(?:function|queue):[A-Za-z0-9_.-]{1,128}|https?:\/\/\S{1,2000})$/

export const SPEC_FIELDS = {
  runtime: {
    type: 'choice',
    choices: ['js', 'wasm', 'node', 'python'],
    default: 'js',
    description: 'How the code is run. JavaScript and TypeScript default to js, Python to python, a .wasm to wasm.',
  },
  engine: {
    type: 'choice',
    choices: ['quickjs', 'starlingmonkey'],
    default: 'quickjs',
    description: 'The JavaScript engine of a js function.',
  },
  handler: {
    type: 'text',
    pattern: /^(?:[\w./-]+\.[A-Za-z_$][\w$]*)?$/,
    default: '',
    description: 'file.export, for instance "index.handler"; empty: found by convention.',
  },
  memoryMiB: {
    type: 'integer',
    minimum: 16,
    maximum: 65_536,
    default: 256,
    description: 'Memory of one sandbox (containers) or one instance (Wasm), MiB.',
  },
  timeoutMs: {
    type: 'integer',
    minimum: 10,
    maximum: 24 * HOUR_MS,
    default: 30_000,
    description: 'Limit of one run, ms; waiting for room and starting a sandbox do not count.',
  },
  env: {
    type: 'map',
    keyPattern: /^[A-Za-z_][A-Za-z0-9_]*$/,
    default: {},
    description: 'Environment of the function.',
  },
  concurrency: {
    type: 'integer',
    minimum: 1,
    maximum: 1000,
    default: 1,
    description: 'Calls at the same time in one sandbox.',
  },
  keepAlive: {
    type: 'auto-or-duration',
    pattern: new RegExp(`^auto$|${DURATION_PATTERN.source}`),
    maximumMs: LONGEST_KEEP_ALIVE_MS,
    default: 'auto',
    description: 'How long an idle sandbox stays, such as 90s or 10m; auto: learned from the calls, and loaded ahead.',
  },
  keepAliveMs: {
    type: 'integer',
    minimum: 0,
    maximum: LONGEST_KEEP_ALIVE_MS,
    default: undefined,
    description: 'keepAlive in ms; give one of the two.',
  },
  minSandboxes: {
    type: 'integer',
    minimum: 0,
    maximum: 1000,
    default: 0,
    description: 'Sandboxes that stay however idle the function is.',
  },
  maxSandboxes: {
    type: 'integer',
    minimum: 1,
    maximum: 10_000,
    default: 100,
    description: 'Most sandboxes of the function at the same time on one invoker.',
  },
  targetLatencyMs: {
    type: 'integer',
    minimum: 0,
    maximum: HOUR_MS,
    default: 0,
    description: 'What 95 of 100 calls are to take at most, waiting and starting included, ms; 0: no objective.',
  },
  auth: {
    type: 'choice',
    choices: ['none', 'token'],
    default: 'none',
    description: 'Whether /fn/{name} wants the bearer token.',
  },
  egress: {
    type: 'list',
    pattern: /^[A-Za-z0-9.:/[\]*-]{1,255}$/,
    default: [],
    description: 'Hosts, host:port or CIDR that fetch may reach although they are private.',
  },
  instances: {
    type: 'choice',
    choices: ['reset', 'fresh', 'warm'],
    default: 'reset',
    description:
      'What a call may find in a Wasm instance: memory restored (reset), a new instance (fresh), kept state (warm).',
  },
  isolation: {
    type: 'choice',
    choices: ['none', 'fork'],
    default: 'none',
    description: 'What calls in one container share: all (none), or each has a process of its own (fork, python only).',
  },
  maxAttempts: {
    type: 'integer',
    minimum: 1,
    maximum: 100,
    default: 3,
    description: 'Tries of an async invocation, the first included.',
  },
  retryBackoff: {
    type: 'choice',
    choices: ['exponential', 'fixed'],
    default: 'exponential',
    description: 'How the delay between tries grows: doubled each time, with jitter, or not at all.',
  },
  retryDelayMs: {
    type: 'integer',
    minimum: 1,
    maximum: 24 * HOUR_MS,
    default: 1000,
    description: 'Delay before the second try, ms.',
  },
  retryMaxDelayMs: {
    type: 'integer',
    minimum: 1,
    maximum: 24 * HOUR_MS,
    default: 300_000,
    description: 'Longest delay between tries, ms.',
  },
  maxAgeMs: {
    type: 'integer',
    minimum: 0,
    maximum: 365 * 24 * HOUR_MS,
    default: 0,
    description: 'An async invocation that could not start for so long ends as expired, ms; 0: it waits.',
  },
  asyncConcurrency: {
    type: 'integer',
    minimum: 0,
    maximum: 100_000,
    default: 0,
    description: 'Most async invocations that run at the same time, over all invokers; 0: no limit.',
  },
  asyncRatePerS: {
    type: 'integer',
    minimum: 0,
    maximum: 1_000_000,
    default: 0,
    description: 'Most async invocations started per second, over all invokers; 0: no limit.',
  },
  weight: {
    type: 'integer',
    minimum: 1,
    maximum: 100,
    default: 1,
    description: 'Share of the async slots when functions compete for them.',
  },
  onSuccess: {
    type: 'text',
    pattern: DESTINATION_PATTERN,
    default: '',
    description: 'Told of async invocations that succeed: function:<name>, queue:<name>, events or a URL.',
  },
  onFailure: {
    type: 'text',
    pattern: DESTINATION_PATTERN,
    default: '',
    description: 'Told of async invocations that failed for good, after the last try.',
  },
} as const satisfies Record<keyof FunctionSpec | 'keepAliveMs', SpecField>

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
