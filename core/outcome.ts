// What came of an invocation once a sandbox had it. A value, never an exception: exceptions are for the platform's
// own failures (errors.ts), and retry and dead-letter rules read only this.
import type { ErrorCode } from './errors.ts'

/** What the user's code threw. The stack goes into the record and never to the caller. */
export interface FunctionFailure {
  /** The constructor name of what was thrown: `TypeError`, `ValueError` … */
  readonly type: string
  readonly message: string
  readonly stack?: string
}

export type Outcome =
  /** The function answered; any HTTP status, its own 500 too. */
  | { readonly kind: 'responded'; readonly status: number }
  /** The user's code threw. */
  | { readonly kind: 'failed'; readonly failure: FunctionFailure }
  /** The call ran longer than its limit. */
  | { readonly kind: 'timed-out'; readonly limitMs: number }
  | { readonly kind: 'out-of-memory'; readonly limitMiB: number }
  /** The sandbox ended under the call: `process.exit`, a trap, a crash. `detail` says how, for instance "exit code 7". */
  | { readonly kind: 'exited'; readonly detail: string }
  /** The caller went away or cancelled. */
  | { readonly kind: 'cancelled' }

/** The code in `hearth-error` and in records; undefined when the function responded. */
export function errorCodeOf(outcome: Outcome): ErrorCode | undefined {
  switch (outcome.kind) {
    case 'responded':
      return undefined
    case 'failed':
      return 'function-failed'
    case 'timed-out':
      return 'timed-out'
    case 'out-of-memory':
      return 'out-of-memory'
    case 'exited':
      return 'sandbox-exited'
    case 'cancelled':
      return 'cancelled'
    default:
      return outcome satisfies never
  }
}

/** One sentence about an outcome that is not `responded`, fit for the caller. */
export function describeOutcome(outcome: Outcome): string {
  switch (outcome.kind) {
    case 'responded':
      return `the function responded with status ${outcome.status}`
    case 'failed':
      return `the function threw ${outcome.failure.type}`
    case 'timed-out':
      return `the function ran longer than its timeoutMs of ${outcome.limitMs}`
    case 'out-of-memory':
      return `the function used more than its memoryMiB of ${outcome.limitMiB}`
    case 'exited':
      return `the sandbox ended during the call: ${outcome.detail}`
    case 'cancelled':
      return 'the call was cancelled'
    default:
      return outcome satisfies never
  }
}
