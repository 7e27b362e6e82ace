// The settings of a Hearth process: one table is the source of the parser (config.ts), `docs/config.md` and its test.
// What a function can set is in spec.ts.

/** What defaults depend on. */
export interface Machine {
  readonly memoryMiB: number
  /** The folder that holds package.json: the checkout. */
  readonly rootDir: string
  /** Where caches of the user belong: `$XDG_CACHE_HOME` or `~/.cache`. */
  readonly userCacheDir: string
}

interface SettingBase {
  readonly env: `HEARTH_${string}`
  readonly description: string
}
export type Setting = SettingBase &
  (
    | {
        readonly type: 'integer'
        readonly minimum: number
        readonly maximum: number
        readonly default: number | ((machine: Machine) => number)
      }
    | { readonly type: 'choice'; readonly choices: readonly string[]; readonly default: string }
    | {
        readonly type: 'text'
        readonly pattern: RegExp
        readonly expected: string
        readonly default: string | ((machine: Machine) => string)
      }
  )

const MIB = 1024 * 1024
const DAY_S = 86_400
const ANY_PATH = { type: 'text', pattern: /^.+$/, expected: 'a path' } as const

export const SETTINGS = {
  host: {
    env: 'HEARTH_HOST',
    type: 'text',
    pattern: /^[A-Za-z0-9.:_-]+$/,
    expected: 'a host name or address',
    default: '127.0.0.1',
    description: 'Address to listen on. Function URLs are open by default: think before you say 0.0.0.0.',
  },
  port: {
    env: 'HEARTH_PORT',
    type: 'integer',
    minimum: 0,
    maximum: 65_535,
    default: 8787,
    description: 'Port to listen on; 0 takes a free one.',
  },
  dataDir: {
    env: 'HEARTH_DATA_DIR',
    ...ANY_PATH,
    default: (machine) => `${machine.rootDir}/.hearth`,
    description: 'What must survive a restart: functions, records, the admin token. One process at a time.',
  },
  cacheDir: {
    env: 'HEARTH_CACHE_DIR',
    ...ANY_PATH,
    default: (machine) => `${machine.userCacheDir}/hearth`,
    description: 'What can be made again: artifacts, a private Redis. May be shared by instances and deleted any time.',
  },
  redisUrl: {
    env: 'HEARTH_REDIS_URL',
    type: 'text',
    pattern: /^(?:(?:rediss?:\/\/|unix:\/\/\/).+)?$/,
    expected: 'redis://…, rediss://… or unix:///path',
    default: '',
    description: 'Redis to use; empty: a private one is found and started.',
  },
  adminToken: {
    env: 'HEARTH_ADMIN_TOKEN',
    type: 'text',
    pattern: /^[\x21-\x7e]*$/,
    expected: 'printable ASCII without spaces',
    default: '',
    description: 'The admin token; empty: made on the first start and kept in the data directory.',
  },
  signingSecret: {
    env: 'HEARTH_SIGNING_SECRET',
    type: 'text',
    pattern: /^(?:whsec_[A-Za-z0-9+/]{32,}={0,2})?$/,
    expected: '"whsec_" and at least 24 bytes as base64',
    default: '',
    description:
      'What posts to destinations are signed with; empty: made on the first start, kept in the data directory.',
  },
  dockerHost: {
    env: 'HEARTH_DOCKER_HOST',
    type: 'text',
    pattern: /^(?:(?:unix|tcp|http|https):\/\/.+|\/.+)?$/,
    expected: 'unix:///path, tcp://host:port, or the path of a socket',
    default: 'unix:///var/run/docker.sock',
    description: 'Where the Docker daemon is.',
  },
  memoryMiB: {
    env: 'HEARTH_MEMORY_MIB',
    type: 'integer',
    minimum: 64,
    maximum: 64 * 1024 * 1024,
    default: (machine) => Math.max(256, Math.floor(machine.memoryMiB * 0.7)),
    description: 'Memory for all sandboxes together, MiB. Default: 70 % of the machine.',
  },
  stemCells: {
    env: 'HEARTH_STEM_CELLS',
    type: 'text',
    pattern: /^(?:auto|off|\d{1,3})$/,
    expected: 'auto, off or a number below 1000',
    default: 'auto',
    description:
      'Generic containers kept ready, so that first calls take milliseconds: by demand, none, or so many of each kind.',
  },
  pauseAfterMs: {
    env: 'HEARTH_PAUSE_AFTER_MS',
    type: 'integer',
    minimum: 0,
    maximum: DAY_S * 1000,
    default: 5000,
    description:
      'How long a container is idle before it is paused, ms; 0: never. The next call takes about 1 ms longer.',
  },
  hibernateAfterMs: {
    env: 'HEARTH_HIBERNATE_AFTER_MS',
    type: 'integer',
    minimum: 0,
    maximum: DAY_S * 1000,
    default: 60_000,
    description: 'How long a container is idle before its memory moves to swap, where there is any, ms; 0: never.',
  },
  maxHeaders: {
    env: 'HEARTH_MAX_HEADERS',
    type: 'integer',
    minimum: 16,
    maximum: 2000,
    default: 256,
    description: 'Most headers of a request.',
  },
  maxHeaderBytes: {
    env: 'HEARTH_MAX_HEADER_BYTES',
    type: 'integer',
    minimum: 1024,
    maximum: MIB,
    default: 65_536,
    description: 'Most bytes of all header names and values of a request.',
  },
  maxBodyBytes: {
    env: 'HEARTH_MAX_BODY_BYTES',
    type: 'integer',
    minimum: 1024,
    maximum: 1024 * MIB,
    default: 100 * MIB,
    description: 'Largest body of a request, bytes.',
  },
  maxAsyncBodyBytes: {
    env: 'HEARTH_MAX_ASYNC_BODY_BYTES',
    type: 'integer',
    minimum: 1024,
    maximum: 100 * MIB,
    default: 4 * MIB,
    description:
      'Largest body of an async invocation, which waits in Redis, and of a call with an Idempotency-Key, bytes.',
  },
  maxResultBytes: {
    env: 'HEARTH_MAX_RESULT_BYTES',
    type: 'integer',
    minimum: 0,
    maximum: 100 * MIB,
    default: MIB,
    description: 'Largest response of an async invocation, or under an Idempotency-Key, that is kept, bytes.',
  },
  maxBatch: {
    env: 'HEARTH_MAX_BATCH',
    type: 'integer',
    minimum: 1,
    maximum: 100_000,
    default: 10_000,
    description: 'Most async invocations in one batch.',
  },
  maxUploadBytes: {
    env: 'HEARTH_MAX_UPLOAD_BYTES',
    type: 'integer',
    minimum: 1024,
    maximum: 512 * MIB,
    default: 100 * MIB,
    description: 'Largest upload of a deploy, packed and unpacked, bytes.',
  },
  maxWaiting: {
    env: 'HEARTH_MAX_WAITING',
    type: 'integer',
    minimum: 0,
    maximum: 1_000_000,
    default: 1000,
    description: 'Most calls of one function that wait for room; more get 429 with Retry-After.',
  },
  maxWaitMs: {
    env: 'HEARTH_MAX_WAIT_MS',
    type: 'integer',
    minimum: 0,
    maximum: 3_600_000,
    default: 30_000,
    description: 'Longest wait of a call for room, ms.',
  },
  asyncConcurrency: {
    env: 'HEARTH_ASYNC_CONCURRENCY',
    type: 'integer',
    minimum: 1,
    maximum: 10_000,
    default: 64,
    description:
      'Most async invocations that run at the same time in this process; one in 16 is kept for functions that run none.',
  },
  syncRecordsPerS: {
    env: 'HEARTH_SYNC_RECORDS_PER_S',
    type: 'integer',
    minimum: 0,
    maximum: 1_000_000,
    default: 100,
    description: 'Records of successful sync calls kept per second and function; failures and async calls always are.',
  },
  retentionS: {
    env: 'HEARTH_RETENTION_S',
    type: 'integer',
    minimum: 60,
    maximum: 3650 * DAY_S,
    default: 7 * DAY_S,
    description: 'How long records and logs are kept, s.',
  },
  deadLetterS: {
    env: 'HEARTH_DEAD_LETTER_S',
    type: 'integer',
    minimum: 60,
    maximum: 3650 * DAY_S,
    default: 14 * DAY_S,
    description: 'How long dead letters are kept, s: at most 10,000 of a function, whatever became of its records.',
  },
  idempotencyS: {
    env: 'HEARTH_IDEMPOTENCY_S',
    type: 'integer',
    minimum: 60,
    maximum: 365 * DAY_S,
    default: DAY_S,
    description: 'How long an Idempotency-Key, the response under it and the id of an event are remembered, s.',
  },
  trustProxy: {
    env: 'HEARTH_TRUST_PROXY',
    type: 'choice',
    choices: ['on', 'off'],
    default: 'off',
    description: 'Whether X-Forwarded-* headers are believed: only behind a proxy that sets them.',
  },
  drainMs: {
    env: 'HEARTH_DRAIN_MS',
    type: 'integer',
    minimum: 0,
    maximum: 3_600_000,
    default: 10_000,
    description: 'How long running invocations may finish after Ctrl-C or SIGTERM, ms.',
  },
  examples: {
    env: 'HEARTH_EXAMPLES',
    type: 'choice',
    choices: ['on', 'off'],
    default: 'on',
    description: 'Whether the first start deploys the examples under functions/.',
  },
  logLevel: {
    env: 'HEARTH_LOG_LEVEL',
    type: 'choice',
    choices: ['debug', 'info', 'warn', 'error', 'silent'],
    default: 'info',
    description: 'What the platform log shows (standard error).',
  },
  logFormat: {
    env: 'HEARTH_LOG_FORMAT',
    type: 'choice',
    choices: ['auto', 'pretty', 'json'],
    default: 'auto',
    description: 'Platform log for people or machines; auto: pretty on a terminal.',
  },
} as const satisfies Record<string, Setting>

/** Read by something else than `hearth serve`; not settings, and not typos. Nor is anything under HEARTH_TEST_. */
export const OTHER_VARIABLES = {
  HEARTH_URL: 'Where the CLI finds Hearth. Default: the instance of the data directory.',
  HEARTH_TEST_REQUIRE: 'For `npm test`: `all` makes a part that cannot run, or a skipped test, a failure.',
} as const
