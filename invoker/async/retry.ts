// What becomes of an async invocation after an attempt: done, another attempt, or back into the lane because the
// platform, not the function, was to blame. Pure; chance is an argument.
import type { ErrorCode, PlatformError } from '#core/errors'
import type { Outcome } from '#core/outcome'
import type { RetryPolicy } from '#core/queue'
import type { RecordError, RecordState } from '#core/record'
import { recordErrorOf, recordStateOf } from '#core/record-of'

export type AttemptResult =
  | { readonly kind: 'outcome'; readonly outcome: Outcome }
  /** A batch of events was answered, and some of them have failed. */
  | { readonly kind: 'partly-failed'; readonly failed: number; readonly of: number }
  /** The platform did not run it. */
  | { readonly kind: 'refused'; readonly error: PlatformError }

export type Verdict =
  | { readonly kind: 'done'; readonly state: RecordState; readonly error: RecordError | undefined }
  /** Failed, but there are attempts left. */
  | { readonly kind: 'retry'; readonly state: RecordState; readonly error: RecordError; readonly delayMs: number }
  /** It did not count. */
  | { readonly kind: 'release'; readonly delayMs: number }

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
  { attempt, retry }: { readonly attempt: number; readonly retry: RetryPolicy },
  chance: number,
): Verdict {
  const failure = failureOf(result)
  if (failure === undefined) return { kind: 'done', state: 'succeeded', error: undefined }
  if (result.kind === 'refused' && NO_ROOM.includes(result.error.code)) {
    return { kind: 'release', delayMs: spread((result.error.retryAfterS ?? 0) * 1000 || RELEASE_MS, chance) }
  }
  const isFinal = result.kind === 'refused' && !result.error.retryable
  if (isFinal || failure.state === 'cancelled' || attempt >= retry.maxAttempts) return { kind: 'done', ...failure }
  return { kind: 'retry', ...failure, delayMs: backoffMs(retry, attempt, chance) }
}

/**
 * How long to wait after a failed attempt. `exponential`: `delayMs` doubled from attempt to attempt, up to
 * `maxDelayMs`, with equal jitter (M. Brooker, "Exponential Backoff And Jitter", AWS Architecture Blog, 2015): between
 * half of it and all of it. Full jitter, from 0, would spread a little better, and now and then leave what has failed
 * no time at all to recover.
 * @param attempt the one that failed, 1 for the first
 * @param chance in [0, 1)
 */
export function backoffMs({ backoff, delayMs, maxDelayMs }: RetryPolicy, attempt: number, chance: number): number {
  if (backoff === 'fixed') return Math.min(delayMs, maxDelayMs)
  return spread(Math.min(maxDelayMs, delayMs * 2 ** (attempt - 1)), chance)
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
  if (result.kind === 'partly-failed') {
    return functionFailed(`${result.failed} of the ${result.of} events of the batch failed`)
  }
  const { outcome } = result
  const error = recordErrorOf(outcome)
  if (error !== undefined) return { state: recordStateOf(outcome), error }
  if (outcome.kind !== 'responded' || outcome.status < 500) return undefined
  return functionFailed(`the function responded with status ${outcome.status}`)
}

function functionFailed(message: string): { state: RecordState; error: RecordError } {
  return { state: 'failed', error: { code: 'function-failed', message } }
}
