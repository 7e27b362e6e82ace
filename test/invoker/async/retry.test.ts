import { describe, expect, test } from 'vitest'

import { type ErrorCode, PlatformError } from '#core/errors'
import type { Outcome } from '#core/outcome'
import type { RetryPolicy } from '#core/queue'
import { type AttemptResult, backoffMs, judge } from '#invoker/async/retry'

const outcome = (value: Outcome): AttemptResult => ({ kind: 'outcome', outcome: value })
const refused = (code: ErrorCode, retryAfterS?: number): AttemptResult => ({
  kind: 'refused',
  error: new PlatformError(code, retryAfterS === undefined ? { detail: 'no' } : { detail: 'no', retryAfterS }),
})
const retry: RetryPolicy = { maxAttempts: 3, backoff: 'exponential', delayMs: 1000, maxDelayMs: 300_000 }
const failed = outcome({ kind: 'failed', failure: { type: 'TypeError', message: 'oh' } })

describe('judge()', () => {
  test.each([
    ['a response is success', outcome({ kind: 'responded', status: 200 }), 1, ['done', 'succeeded']],
    [
      'a client error that the function answers is success',
      outcome({ kind: 'responded', status: 404 }),
      1,
      ['done', 'succeeded'],
    ],
    ['a server error is tried again', outcome({ kind: 'responded', status: 503 }), 1, ['retry', 'failed']],
    [
      'a server error at the last attempt has failed',
      outcome({ kind: 'responded', status: 503 }),
      3,
      ['done', 'failed'],
    ],
    ['what the code threw is tried again', failed, 2, ['retry', 'failed']],
    ['what the code threw at the last attempt has failed', failed, 3, ['done', 'failed']],
    ['a time-out is tried again', outcome({ kind: 'timed-out', limitMs: 5 }), 1, ['retry', 'timed-out']],
    ['out of memory is tried again', outcome({ kind: 'out-of-memory', limitMiB: 5 }), 1, ['retry', 'out-of-memory']],
    ['the end of the sandbox is tried again', outcome({ kind: 'exited', detail: '' }), 1, ['retry', 'failed']],
    ['a sandbox that cannot be started is a failed attempt', refused('sandbox-unavailable'), 1, ['retry', 'failed']],
    ['a refusal for good is not tried again', refused('payload-too-large'), 1, ['done', 'failed']],
    ['a cancelled call is not tried again', outcome({ kind: 'cancelled' }), 1, ['done', 'cancelled']],
    [
      'a batch that failed in part is tried again',
      { kind: 'partly-failed', failed: 2, of: 5 } as const,
      1,
      ['retry', 'failed'],
    ],
    [
      'a batch that failed in part at the last attempt has failed',
      { kind: 'partly-failed', failed: 2, of: 5 } as const,
      3,
      ['done', 'failed'],
    ],
    ['queue-full does not count', refused('queue-full'), 3, ['release', undefined]],
    ['wait-timed-out does not count', refused('wait-timed-out'), 3, ['release', undefined]],
    ['driver-unavailable does not count', refused('driver-unavailable'), 3, ['release', undefined]],
    ['shutting-down does not count', refused('shutting-down'), 3, ['release', undefined]],
  ])('%s', (_, result, attempt, expected) => {
    const verdict = judge(result, { attempt, retry }, 0)
    expect([verdict.kind, 'state' in verdict ? verdict.state : undefined]).toEqual(expected)
  })

  test('keeps what the code threw', () => {
    expect(judge(failed, { attempt: 3, retry }, 0)).toMatchObject({
      error: { code: 'function-failed', message: 'oh', failure: { type: 'TypeError' } },
    })
  })

  test('a release waits for as long as the refusal says', () => {
    expect(judge(refused('queue-full', 7), { attempt: 1, retry }, 0)).toEqual({
      kind: 'release',
      delayMs: 7000,
    })
  })
})

describe('backoffMs()', () => {
  test.each([
    [1, 1000],
    [2, 2000],
    [3, 4000],
    [9, 256_000],
    [10, 300_000],
    [100, 300_000],
  ])('after attempt %i is up to %i ms', (attempt, most) => {
    expect(backoffMs(retry, attempt, 0)).toBe(most)
    expect(backoffMs(retry, attempt, 0.5)).toBe(most * 0.75)
  })

  test.each([
    ['fixed', 500, 300_000, 9, 500],
    ['fixed', 500, 100, 1, 100],
    ['exponential', 10, 300_000, 4, 80],
    ['exponential', 10, 50, 4, 50],
    ['exponential', 10, 50, 100, 50],
  ] as const)('%s, %i ms up to %i ms: after attempt %i it is %i ms', (...row) => {
    const [backoff, delayMs, maxDelayMs, attempt, ms] = row
    expect(backoffMs({ maxAttempts: 200, backoff, delayMs, maxDelayMs }, attempt, 0)).toBe(ms)
  })

  test('is the same for all with a fixed delay', () => {
    expect(backoffMs({ ...retry, backoff: 'fixed' }, 5, 0.9)).toBe(1000)
  })
})
