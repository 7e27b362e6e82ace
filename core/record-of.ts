// What a record says of an outcome: the same for sync calls (gateway) and async ones (invoker).
import { describeOutcome, errorCodeOf, type Outcome } from './outcome.ts'
import type { RecordError, RecordState } from './record.ts'

export function recordStateOf(outcome: Outcome): RecordState {
  switch (outcome.kind) {
    case 'responded':
      return 'succeeded'
    case 'failed':
    case 'exited':
      return 'failed'
    case 'timed-out':
    case 'out-of-memory':
    case 'cancelled':
      return outcome.kind
    default:
      return outcome satisfies never
  }
}

/** Undefined when the function responded. */
export function recordErrorOf(outcome: Outcome): RecordError | undefined {
  const code = errorCodeOf(outcome)
  if (code === undefined) return undefined
  if (outcome.kind === 'failed') return { code, message: outcome.failure.message, failure: outcome.failure }
  return { code, message: describeOutcome(outcome) }
}
