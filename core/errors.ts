// The catalogue of everything that the platform itself can refuse or fail at. A function's own failure is an
// Outcome (outcome.ts), never one of these. docs/errors.md is kept in step by test/repo/docs.test.ts.

interface ErrorSpec {
  readonly status: number
  readonly retryable: boolean
  /** RFC 9457 `title`: the same for every occurrence. */
  readonly title: string
  /** What the reader can do about it, in one line. */
  readonly advice: string
}

export const ERRORS = {
  'invalid-request': {
    status: 400,
    retryable: false,
    title: 'The request is not valid',
    advice: 'Correct what "detail" names and send it again.',
  },
  'invalid-name': {
    status: 400,
    retryable: false,
    title: 'The name is not valid',
    advice: 'Use 1 to 63 characters of a-z, 0-9 and "-".',
  },
  'invalid-spec': {
    status: 400,
    retryable: false,
    title: 'The function spec is not valid',
    advice: 'Correct the field that "detail" names; the fields are listed in docs/functions.md.',
  },
  'invalid-archive': {
    status: 400,
    retryable: false,
    title: 'The upload cannot be unpacked',
    advice: 'Send a zip or tar.gz with relative paths and no links.',
  },
  unauthorized: {
    status: 401,
    retryable: false,
    title: 'A valid token is required',
    advice: 'Send "Authorization: Bearer <token>"; the admin token is in the file that the start banner names.',
  },
  'function-not-found': {
    status: 404,
    retryable: false,
    title: 'No such function',
    advice: 'List the functions with "hearth ls" and deploy one with "hearth deploy".',
  },
  'version-not-found': {
    status: 404,
    retryable: false,
    title: 'No such version of the function',
    advice: 'List the versions at /v1/functions/{name}/versions.',
  },
  'invocation-not-found': {
    status: 404,
    retryable: false,
    title: 'No such invocation',
    advice: 'Records are kept for a limited time; list those that remain with "hearth invocations".',
  },
  'trigger-not-found': {
    status: 404,
    retryable: false,
    title: 'No such trigger',
    advice: 'List the triggers with "hearth triggers".',
  },
  'dead-letter-not-found': {
    status: 404,
    retryable: false,
    title: 'No such dead letter',
    advice: 'List those of the function with "hearth dead-letters <name>".',
  },
  'route-not-found': {
    status: 404,
    retryable: false,
    title: 'No such route',
    advice: 'The API is described at /docs.',
  },
  'method-not-allowed': {
    status: 405,
    retryable: false,
    title: 'The route does not take this method',
    advice: 'The API is described at /docs.',
  },
  'unsupported-media-type': {
    status: 415,
    retryable: false,
    title: 'The Content-Type is not one that can be deployed',
    advice: 'Send source, a .wasm, a zip, a tar.gz, multipart/form-data or JSON; see docs/functions.md.',
  },
  'invalid-event': {
    status: 400,
    retryable: false,
    title: 'The event is not a valid CloudEvent',
    advice: 'Correct the attribute that "detail" names; see docs/events.md.',
  },
  'invalid-trigger': {
    status: 400,
    retryable: false,
    title: 'The trigger spec is not valid',
    advice: 'Correct the field that "detail" names; the fields are listed in docs/events.md.',
  },
  'invalid-signature': {
    status: 401,
    retryable: false,
    title: 'The signature of the webhook does not match',
    advice: 'Check the secret of the trigger and the clock of the sender.',
  },
  'key-reused': {
    status: 409,
    retryable: false,
    title: 'The Idempotency-Key was used with another request',
    advice: 'Use a new key for a new request.',
  },
  'response-not-kept': {
    status: 409,
    retryable: false,
    title: 'The request was done before, but its response was not kept',
    advice: 'It is not done again; the record of the invocation that "invocation" names says what came of it.',
  },
  'not-cancellable': {
    status: 409,
    retryable: false,
    title: 'The invocation is over',
    advice: 'Only queued and running invocations can be cancelled.',
  },
  'not-replayable': {
    status: 409,
    retryable: false,
    title: 'The input of the invocation was not kept',
    advice: 'Inputs of async invocations are kept up to a size; "detail" says why this one was not.',
  },
  'delivery-failed': {
    status: 502,
    retryable: true,
    title: 'The destination did not take what it was told',
    advice: 'Check the destination that "detail" names; the record of the invocation has the attempts.',
  },
  conflict: {
    status: 409,
    retryable: true,
    title: 'Another change came first',
    advice: 'Read the current state and try again.',
  },
  'payload-too-large': {
    status: 413,
    retryable: false,
    title: 'The body is larger than the limit',
    advice: 'Send less, or raise the limit that "detail" names.',
  },
  'build-failed': {
    status: 422,
    retryable: false,
    title: 'The code does not build',
    advice: 'Correct the code at the place that "diagnostics" names and deploy again.',
  },
  'too-many-headers': {
    status: 431,
    retryable: false,
    title: 'The request has too many or too large headers',
    advice: 'Send fewer headers, or raise the limit that "detail" names.',
  },
  'queue-full': {
    status: 429,
    retryable: true,
    title: 'Too many calls are waiting',
    advice: 'Try again after the time in Retry-After, or raise maxSandboxes or concurrency of the function.',
  },
  internal: {
    status: 500,
    retryable: true,
    title: 'The platform failed',
    advice: 'This is a fault of Hearth; its log has the cause under the invocation id.',
  },
  'driver-unavailable': {
    status: 503,
    retryable: true,
    title: 'What runs this runtime is not available here',
    advice: 'Start what "detail" names; "GET /readyz" shows the drivers.',
  },
  'store-unavailable': {
    status: 503,
    retryable: true,
    title: 'Redis does not answer',
    advice: 'Check the Redis that the start banner names.',
  },
  'shutting-down': {
    status: 503,
    retryable: true,
    title: 'This instance is shutting down',
    advice: 'Try again; another instance or the restarted one will answer.',
  },
  'sandbox-unavailable': {
    status: 503,
    retryable: true,
    title: 'No sandbox could be started',
    advice: 'Try again; if it persists, "hearth logs" and the platform log have the cause.',
  },
  'wait-timed-out': {
    status: 503,
    retryable: true,
    title: 'No sandbox became free in time',
    advice: 'Try again after the time in Retry-After, or raise maxSandboxes or concurrency of the function.',
  },
  'function-failed': {
    status: 500,
    retryable: false,
    title: 'The function failed',
    advice: 'The record of the invocation has the message and the stack: "hearth invocations <id>".',
  },
  'sandbox-exited': {
    status: 502,
    retryable: true,
    title: 'The sandbox ended while it ran the call',
    advice: 'The function ended its own process or trapped; its logs may say why: "hearth logs <name>".',
  },
  'timed-out': {
    status: 504,
    retryable: false,
    title: 'The function took longer than its limit',
    advice: 'Raise timeoutMs of the function, or make it faster.',
  },
  'out-of-memory': {
    status: 507,
    retryable: false,
    title: 'The function used more memory than its limit',
    advice: 'Raise memoryMiB of the function, or make it use less.',
  },
  cancelled: {
    status: 499,
    retryable: false,
    title: 'The call was cancelled',
    advice: 'The caller went away or cancelled the invocation.',
  },
} as const satisfies Record<string, ErrorSpec>

export type ErrorCode = keyof typeof ERRORS

export interface ErrorDetails {
  /** RFC 9457 `detail`: what was expected and what was received. Shown to the client. */
  readonly detail: string
  readonly cause?: unknown
  /** Further members of the problem document, for instance `diagnostics` or `limit`. Shown to the client. */
  readonly members?: Readonly<Record<string, unknown>>
  /** Seconds for the Retry-After header. */
  readonly retryAfterS?: number
}

/** Something the platform refuses or fails at, with a stable code. Its message and `members` may reach the client. */
export class PlatformError extends Error {
  override readonly name = 'PlatformError'
  readonly code: ErrorCode
  readonly members: Readonly<Record<string, unknown>>
  readonly retryAfterS: number | undefined

  constructor(code: ErrorCode, { detail, cause, members = {}, retryAfterS }: ErrorDetails) {
    super(detail, cause === undefined ? undefined : { cause })
    this.code = code
    this.members = members
    this.retryAfterS = retryAfterS
  }

  get status(): number {
    return ERRORS[this.code].status
  }

  get retryable(): boolean {
    return ERRORS[this.code].retryable
  }
}

/** The RFC 9457 document for an error; a stack or a cause never gets in. */
export function problemOf(error: PlatformError): Record<string, unknown> {
  const spec = ERRORS[error.code]
  return {
    type: `https://hearth.dev/errors/${error.code}`,
    title: spec.title,
    status: spec.status,
    code: error.code,
    detail: error.message,
    advice: spec.advice,
    retryable: spec.retryable,
    ...error.members,
  }
}

/** Any thrown value as a PlatformError: `internal` when it is not one already. */
export function asPlatformError(thrown: unknown): PlatformError {
  if (thrown instanceof PlatformError) return thrown
  return new PlatformError('internal', { detail: 'an unexpected error inside Hearth', cause: thrown })
}
