import type { StopSignal } from '#core/stop-signal'

import type { RunningCall } from './running-call.ts'

/** Cause: the caller went away or cancelled. */
export function stopOnCancel(call: RunningCall, signal: StopSignal): void {
  const cancel = (): void => call.stop({ kind: 'cancelled' })
  if (signal.aborted) return cancel()
  signal.addEventListener('abort', cancel, { once: true })
  call.onceOver(() => signal.removeEventListener('abort', cancel))
}
