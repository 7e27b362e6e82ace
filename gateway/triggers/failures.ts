// Counts the invocations of a trigger that failed for good. Only whoever leads it does, or they would count twice.
import type { Clock } from '#core/clock'
import type { InvocationId, TriggerName } from '#core/ids'
import type { RecordState, RecordStore } from '#core/record'

const LOOK_MS = 1000
/** Records looked at in one go; what comes faster is looked at later. */
const BATCH = 200
/** More are not remembered: the count is then too low. */
const MAX_WAITING = 100_000
const FAILED: ReadonlySet<RecordState> = new Set(['failed', 'timed-out', 'out-of-memory', 'expired'])

export interface FailureOptions {
  readonly trigger: TriggerName
  readonly records: Pick<RecordStore, 'onSettled' | 'get'>
  readonly clock: Clock
  readonly onFailed: (count: number) => void
}

/** Until disposed. */
export function watchFailures({ trigger, records, clock, onFailed }: FailureOptions): Disposable {
  const waiting: InvocationId[] = []
  let isLooking = false
  const look = async (): Promise<void> => {
    if (isLooking || waiting.length === 0) return
    isLooking = true
    const ids = waiting.splice(0, BATCH)
    try {
      const found = await Promise.all(ids.map((id) => records.get(id)))
      const failed = found.filter((record) => record !== undefined && FAILED.has(record.state)).length
      if (failed > 0) onFailed(failed)
    } catch {
      waiting.unshift(...ids)
    } finally {
      isLooking = false
    }
  }
  const resources = new DisposableStack()
  resources.use(clock.every(LOOK_MS, () => void look()))
  resources.use(
    records.onSettled(trigger, (id) => {
      if (id !== undefined && waiting.length < MAX_WAITING) waiting.push(id)
    }),
  )
  return resources
}
