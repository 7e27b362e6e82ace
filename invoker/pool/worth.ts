// What the calls that wait in one version are worth now, by what has been measured of it. The rule is burst.ts.
import type { FunctionSpec } from '#core/function'

import { type Worth, worthOf } from './burst.ts'
import { backlogMs } from './latency.ts'
import { type Placeable, slotsIn } from './sandbox-state.ts'
import type { Running, Tempo } from './tempo.ts'

interface Backed {
  readonly waiting: number
  /** Since when there have always been some; Infinity when there are none. */
  readonly busySince: number
  /** The oldest call that runs; undefined when none does. */
  readonly oldest: Running | undefined
  /** Of one sandbox. */
  readonly slots: number
  readonly spec: Pick<FunctionSpec, 'targetLatencyMs'>
  /** Of the machine, as in Backlog. */
  readonly starts: number
  readonly processors: number
}

export function worthNow(own: readonly Placeable[], tempo: Tempo, backed: Backed, now: number): Worth {
  const { waiting, busySince, oldest, slots, spec, starts, processors } = backed
  const worth = worthOf({
    waiting,
    warmSlots: slotsIn(own, 'idle', 'busy'),
    startingSlots: slotsIn(own, 'starting'),
    wakingSlots: slotsIn(own, 'waking'),
    slots,
    serviceMs: tempo.serviceMs(oldest, now),
    startMs: tempo.startMs + tempo.settlingMs,
    starts,
    processors,
    busyForMs: Math.max(0, now - busySince),
    wakeMs: { paused: tempo.wakeMs('paused'), hibernated: tempo.wakeMs('hibernated') },
    withinMs: backlogMs(spec.targetLatencyMs, tempo.startMs),
  })
  return { ...worth, start: worth.start && tempo.mayStart(now) }
}
