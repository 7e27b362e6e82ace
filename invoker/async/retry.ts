// What becomes of an async invocation after an attempt: done, another attempt, or back into the lane because the
// platform, not the function, was to blame. Pure; chance is an argument.
import type { ErrorCode, PlatformError } from '#core/errors'
import type { Outcome } from '#core/outcome'
import type { RecordError, RecordState } from '#core/record'
import { recordErrorOf, recordStateOf } from '#core/record-of'

export type AttemptResult =
  | { readonly kind: 'outcome'; readonly outcome: Outcome }
  /** The platform did not run it. */
  | { readonly kind: 'refused'; readonly error: PlatformError }

export type Verdict =
  | { readonly kind: 'done'; readonly state: RecordState; readonly error: RecordError | undefined }
  /** Failed, but there are attempts left. */
  | { readonly kind: 'retry'; readonly state: RecordState; readonly error: RecordError; readonly delayMs: number }
  /** It did not count. */
  | { readonly kind: 'release'; readonly delayMs: number }

const FIRST_RETRY_MS = 1000
const MAX_RETRY_MS = 300_000
const RELEASE_MS = 1000

/** Refusals that say nothing about the function. */
const NO_ROOM: readonly ErrorCode[] = [
  'queue-full',
  'wait-timed-out',
  'driver-unavailable',
  'shutting-down',
  'store-unavailable',
]

/** @param chance in [0, 1) */
export function judge(
  result: AttemptResult,
  { attempt, maxAttempts }: { readonly attempt: number; readonly maxAttempts: number },
  chance: number,
): Verdict {
  const failure = failureOf(result)
  if (failure === undefined) return { kind: 'done', state: 'succeeded', error: undefined }
  if (result.kind === 'refused' && NO_ROOM.includes(result.error.code)) {
    return { kind: 'release', delayMs: spread((result.error.retryAfterS ?? 0) * 1000 || RELEASE_MS, chance) }
  }
  const final = result.kind === 'refused' && !result.error.retryable
  if (final || attempt >= maxAttempts) return { kind: 'done', ...failure }
  return { kind: 'retry', ...failure, delayMs: backoffMs(attempt, chance) }
}

/** 1, 2, 4 … s after the first, second, third attempt, up to 5 minutes, each up to half shorter by chance. */
export function backoffMs(attempt: number, chance: number): number {
  return spread(Math.min(MAX_RETRY_MS, FIRST_RETRY_MS * 2 ** (attempt - 1)), chance)
}

/** So that what failed together does not come back together. */
function spread(ms: number, chance: number): number {
  return Math.round(ms * (1 - chance / 2))
}

/** Undefined when it succeeded. A server error that the function answers is a failed attempt, too. */
function failureOf(result: AttemptResult): { state: RecordState; error: RecordError } | undefined {
  if (result.kind === 'refused') {
    return { state: 'failed', error: { code: result.error.code, message: result.error.message } }
  }
  const { outcome } = result
  const error = recordErrorOf(outcome)
  if (error !== undefined) return { state: recordStateOf(outcome), error }
  if (outcome.kind !== 'responded' || outcome.status < 500) return undefined
  const message = `the function responded with status ${outcome.status}`
  return { state: 'failed', error: { code: 'function-failed', message } }
}
