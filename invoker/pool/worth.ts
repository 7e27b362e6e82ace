// What the calls that wait in one version are worth now, by what has been measured of it. The rule is burst.ts.
import type { FunctionSpec } from '#core/function'

import { type Worth, worthOf } from './burst.ts'
import { backlogMs } from './latency.ts'
import { type Placeable, slotsIn } from './sandbox-state.ts'
import type { Tempo } from './tempo.ts'

interface Backed {
  readonly waiting: number
  /** When the oldest call that runs was started, monotonic ms; undefined when none runs. */
  readonly startedAt: number | undefined
  /** Of one sandbox. */
  readonly slots: number
  readonly spec: Pick<FunctionSpec, 'targetLatencyMs'>
}

export function worthNow(own: readonly Placeable[], tempo: Tempo, backed: Backed, now: number): Worth {
  const { waiting, startedAt, slots, spec } = backed
  const { startMs } = tempo
  const worth = worthOf({
    waiting,
    warmSlots: slotsIn(own, 'idle', 'busy'),
    startingSlots: slotsIn(own, 'starting'),
    wakingSlots: slotsIn(own, 'waking'),
    slots,
    serviceMs: tempo.serviceMs(startedAt === undefined ? undefined : now - startedAt),
    startMs,
    wakeMs: { paused: tempo.wakeMs('paused'), hibernated: tempo.wakeMs('hibernated') },
    withinMs: backlogMs(spec.targetLatencyMs, startMs),
  })
  return { ...worth, start: worth.start && tempo.mayStart(now) }
}
