import { type Clock, sleep } from '#core/clock'
import { PlatformError } from '#core/errors'
import type { StopSignal } from '#core/stop-signal'

const FIRST_PAUSE_MS = 100
const LONGEST_PAUSE_MS = 2000

/**
 * Does a step that can be repeated until it is done, while the lease of the claim lasts.
 * @throws PlatformError of a kind that will not pass; `conflict` when the lease is lost
 */
export async function insist<T>(step: () => Promise<T>, lost: StopSignal, clock: Clock): Promise<T> {
  for (let pauseMs = FIRST_PAUSE_MS; ; pauseMs = Math.min(LONGEST_PAUSE_MS, 2 * pauseMs)) {
    checkHeld(lost)
    try {
      return await step()
    } catch (error) {
      if (!(error instanceof PlatformError) || error.code !== 'store-unavailable') throw error
      await sleep(pauseMs, lost, clock).catch(() => {})
    }
  }
}

/** @throws PlatformError `conflict` when the lease is lost */
export function checkHeld(lost: StopSignal): void {
  if (lost.aborted) throw new PlatformError('conflict', { detail: 'the lease of the invocation is lost' })
}
