import type { Outcome } from '#core/outcome'

/**
 * What to do about a call that the platform stopped and whose code went on through the grace period.
 * `kill`: end the sandbox now. `drain`: give it no new calls and end it when the other callers have their outcomes.
 */
export function afterGrace(othersRunning: number, responsive: boolean): 'kill' | 'drain' {
  return othersRunning > 0 && responsive ? 'drain' : 'kill'
}

/** Cause, for the other calls in the sandbox: it had to be killed because one of them would not stop. */
export function neighbourOf(stopped: Outcome): Outcome {
  const why =
    stopped.kind === 'timed-out' ? `ran past its timeoutMs of ${stopped.limitMs}` : 'was cancelled and did not stop'
  return {
    kind: 'exited',
    detail: `another call in the same sandbox ${why}, and the sandbox no longer answered, so it was killed`,
  }
}
