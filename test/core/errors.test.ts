import { describe, expect, it } from 'vitest'

import { asPlatformError, ERRORS, PlatformError, problemOf } from '#core/errors'
import { describeOutcome, errorCodeOf, type Outcome } from '#core/outcome'

describe('problemOf()', () => {
  it('is an RFC 9457 document with the code, and never has a stack or a cause', () => {
    const error = new PlatformError('queue-full', {
      detail: 'at most 3: received 4',
      cause: new Error('secret'),
      members: { limit: 3 },
    })
    const problem = problemOf(error)
    expect(problem).toMatchObject({
      status: 429,
      code: 'queue-full',
      detail: 'at most 3: received 4',
      limit: 3,
      retryable: true,
    })
    expect(JSON.stringify(problem)).not.toContain('secret')
    expect(JSON.stringify(problem)).not.toContain('errors.test')
  })

  it('hides what an unexpected error says', () => {
    expect(JSON.stringify(problemOf(asPlatformError(new Error('password is hunter2'))))).not.toContain('hunter2')
  })
})

it('asPlatformError() leaves a PlatformError as it is', () => {
  const error = new PlatformError('conflict', { detail: 'x' })
  expect(asPlatformError(error)).toBe(error)
})

it('every error has advice that tells what to do, and a title without a full stop', () => {
  for (const [code, spec] of Object.entries(ERRORS)) {
    expect(spec.advice, code).toMatch(/^[A-Z"].*\.$/)
    expect(spec.title, code).toMatch(/[^.]$/)
  }
})

describe('outcomes', () => {
  const outcomes: readonly Outcome[] = [
    { kind: 'responded', status: 200 },
    { kind: 'failed', failure: { type: 'TypeError', message: 'a secret' } },
    { kind: 'timed-out', limitMs: 5 },
    { kind: 'out-of-memory', limitMiB: 64 },
    { kind: 'exited', detail: 'exit code 7' },
    { kind: 'cancelled' },
  ]

  it('have a code in the catalogue unless the function responded', () => {
    expect(outcomes.map(errorCodeOf)).toEqual([
      undefined,
      'function-failed',
      'timed-out',
      'out-of-memory',
      'sandbox-exited',
      'cancelled',
    ])
  })

  it('are described without the message of the user code', () => {
    for (const outcome of outcomes) expect(describeOutcome(outcome)).not.toContain('secret')
  })
})
