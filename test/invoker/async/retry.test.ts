import { describe, expect, test } from 'vitest'

import { type ErrorCode, PlatformError } from '#core/errors'
import type { Outcome } from '#core/outcome'
import { type AttemptResult, backoffMs, judge } from '#invoker/retry'

const outcome = (value: Outcome): AttemptResult => ({ kind: 'outcome', outcome: value })
const refused = (code: ErrorCode, retryAfterS?: number): AttemptResult => ({
  kind: 'refused',
  error: new PlatformError(code, retryAfterS === undefined ? { detail: 'no' } : { detail: 'no', retryAfterS }),
})
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
    ['queue-full does not count', refused('queue-full'), 3, ['release', undefined]],
    ['wait-timed-out does not count', refused('wait-timed-out'), 3, ['release', undefined]],
    ['driver-unavailable does not count', refused('driver-unavailable'), 3, ['release', undefined]],
    ['shutting-down does not count', refused('shutting-down'), 3, ['release', undefined]],
  ])('%s', (_, result, attempt, expected) => {
    const verdict = judge(result, { attempt, maxAttempts: 3 }, 0)
    expect([verdict.kind, 'state' in verdict ? verdict.state : undefined]).toEqual(expected)
  })

  test('keeps what the code threw', () => {
    expect(judge(failed, { attempt: 3, maxAttempts: 3 }, 0)).toMatchObject({
      error: { code: 'function-failed', message: 'oh', failure: { type: 'TypeError' } },
    })
  })

  test('a release waits for as long as the refusal says', () => {
    expect(judge(refused('queue-full', 7), { attempt: 1, maxAttempts: 3 }, 0)).toEqual({
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
    expect(backoffMs(attempt, 0)).toBe(most)
    expect(backoffMs(attempt, 0.5)).toBe(most * 0.75)
  })
})
