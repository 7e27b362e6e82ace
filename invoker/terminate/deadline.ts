import type { Clock } from '#core/clock'

import type { RunningCall } from './running-call.ts'

/** Cause: the call has run for `limitMs`, counted from now. */
export function stopAtDeadline(call: RunningCall, limitMs: number, clock: Clock): void {
  call.watch(clock.after(limitMs, () => call.stop({ kind: 'timed-out', limitMs })))
}
