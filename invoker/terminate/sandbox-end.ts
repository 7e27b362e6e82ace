import type { Outcome } from '#core/outcome'
import type { Termination } from '#invoker/sandbox/driver'

/** Cause: the sandbox ended under the call. */
export function outcomeOfEnd(termination: Termination, limitMiB: number): Outcome {
  switch (termination.cause) {
    case 'out-of-memory':
      return { kind: 'out-of-memory', limitMiB }
    case 'exited':
      return { kind: 'exited', detail: termination.detail }
    case 'disposed':
      return { kind: 'exited', detail: 'the platform ended the sandbox' }
    default:
      return termination satisfies never
  }
}
