// The fields of a function spec: one table is the source of the parser (spec.ts), the OpenAPI schema and the docs.
import { DURATION_PATTERN } from './duration.ts'
import type { FunctionSpec } from './function.ts'

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
