// How many sandboxes a backlog is worth, woken or started. A burst must not start one per call: most of it will have been served by
// what there is when the first new sandbox is ready.

export interface Backlog {
  /** Calls that wait. */
  readonly waiting: number
  /** Slots of warm sandboxes, busy or not. */
  readonly warmSlots: number
  /** Slots of sandboxes that are starting. */
  readonly startingSlots: number
  /** Slots of one sandbox more. */
  readonly slots: number
  /** How long a call runs; undefined while none has been seen. */
  readonly serviceMs: number | undefined
  /** How long a start takes. */
  readonly startMs: number
  /** In what time the rest is to be served once new sandboxes are there: another start, or what an objective leaves. */
  readonly withinMs: number
}

/**
 * Sandboxes to start now, besides those that are starting. By Little's law the warm slots serve
 * `warmSlots × startMs ÷ serviceMs` calls before a new sandbox is ready; only the rest is worth sandboxes, and so many
 * that the rest is served within another `withinMs` (or one more call, when calls take longer).
 *
 * E.g. 32 calls of 1 ms wait, a start takes 150 ms, nothing is warm: one sandbox serves them in 32 ms, so 1.
 * 32 calls of 1 s: 32. With 4 slots warm, 32 calls of 10 ms: 4 × 150 ÷ 10 = 60 are served meanwhile, so 0.
 */
export function startsFor({ waiting, warmSlots, startingSlots, slots, serviceMs, startMs, withinMs }: Backlog): number {
  if (waiting === 0) return 0
  // Nobody knows yet how long a call takes: one sandbox will tell.
  if (serviceMs === undefined) return warmSlots + startingSlots === 0 ? 1 : 0
  const perCallMs = Math.max(serviceMs, Number.MIN_VALUE)
  const rest = waiting - (warmSlots * startMs) / perCallMs
  if (rest <= 0) return 0
  const slotsNeeded = (rest * perCallMs) / Math.max(withinMs, perCallMs)
  // Where nothing is warm, one must start however short the calls are.
  return Math.max(warmSlots + startingSlots === 0 ? 1 : 0, Math.ceil((slotsNeeded - startingSlots) / slots))
}

/** Whether the calls that wait are worth one more sandbox: one that sleeps, by how deep, or a new one. */
export interface Worth {
  readonly paused: boolean
  readonly hibernated: boolean
  readonly start: boolean
}

export interface WakeableBacklog extends Backlog {
  /** Slots of sandboxes that are being woken. */
  readonly wakingSlots: number
  /** How long that takes. */
  readonly wakeMs: { readonly paused: number; readonly hibernated: number }
}

/** The same rule for all: a wake is a start that takes less time. Who is starting may come later than who is woken. */
export function worthOf({ wakingSlots, wakeMs, ...backlog }: WakeableBacklog): Worth {
  const wake = (startMs: number): boolean => {
    const withinMs = Math.min(startMs, backlog.withinMs)
    return startsFor({ ...backlog, startingSlots: wakingSlots, startMs, withinMs }) > 0
  }
  return {
    paused: wake(wakeMs.paused),
    hibernated: wake(wakeMs.hibernated),
    start: startsFor({ ...backlog, startingSlots: backlog.startingSlots + wakingSlots }) > 0,
  }
}
