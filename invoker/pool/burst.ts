// What a backlog is worth, woken or started. A burst must not start one sandbox per call: most of it will have been served
// by what there is when the first new sandbox is ready, and starts slow each other.

export interface Backlog {
  /** Calls that wait. */
  readonly waiting: number
  /** Slots of warm sandboxes, busy or not. */
  readonly warmSlots: number
  /** Slots of sandboxes that are starting. */
  readonly startingSlots: number
  /** Slots of one sandbox more. */
  readonly slots: number
  /** How long a call runs in a sandbox that is warm; undefined while nothing is known of it. */
  readonly serviceMs: number | undefined
  /** How long a start takes by itself, and by how much the first calls of a sandbox take longer than later ones. */
  readonly startMs: number
  /** Starts that are under way on this machine, of all functions. */
  readonly starts: number
  /** Starts that do not slow each other. */
  readonly processors: number
  /** For how long there have always been calls that wait, ms: what comes is more than the warm slots serve. */
  readonly busyForMs: number
  /** With a latency objective: in what time the rest is to be served once new sandboxes are there. */
  readonly withinMs: number | undefined
}

/** A line that did not get empty for so many starts, for each sandbox that there is, is no burst. */
const PATIENCE = 2
/** Calls that are shorter mostly compute: more sandboxes than processors would not make them faster. */
const COMPUTING_MS = 5

/** A start is worth it when calls are over earlier by this share of what it takes: it takes processor from them, too. */
const LEAST_GAIN = 0.5

/**
 * Whether one more start is worth it, besides those that are under way. It takes
 * `costMs = startMs × (starts + 1) ÷ processors`, at least `startMs`. By Little's law the warm slots serve
 * `warmSlots × costMs ÷ serviceMs` calls meanwhile; only the rest is worth sandboxes. Calls that take longer than that get
 * one each. Shorter ones get one more where it shortens the line by half of what it costs.
 *
 * E.g. 32 calls wait, a start takes 150 ms, 2 processors: of 1 ms one serves all of them in 32 ms, so there is 1; of 50 ms
 * there are 3 (a fourth would save 59 ms for a start of 300); of 1 s 13 to begin with, and the others when these are up.
 *
 * What is not a burst but comes on and on, such as the backlog of a lane, of which only a few calls wait here at a time, gets
 * one sandbox after the other, each later than the one before.
 */
export function worthStarting(backlog: Backlog): boolean {
  const { waiting, warmSlots, startingSlots, slots, serviceMs, startMs, starts, processors, withinMs } = backlog
  if (waiting === 0) return false
  const there = warmSlots + startingSlots
  // However short the calls are; and when nobody knows, it will tell.
  if (there === 0) return true
  if (serviceMs === undefined) return false
  const costMs = startMs * Math.max(1, (starts + 1) / processors)
  if (isTooMuch(backlog, serviceMs, costMs)) return true
  const restMs = waiting * serviceMs - warmSlots * costMs
  if (restMs <= 0) return false
  if (serviceMs >= costMs) return restMs > startingSlots * serviceMs
  if (withinMs !== undefined) return restMs > startingSlots * Math.max(withinMs, serviceMs)
  const gainMs = ((waiting * serviceMs) / there - costMs) * (slots / (there + slots))
  return gainMs >= LEAST_GAIN * costMs
}

function isTooMuch(
  { busyForMs, warmSlots, startingSlots, slots, processors }: Backlog,
  serviceMs: number,
  costMs: number,
): boolean {
  const sandboxes = warmSlots / slots
  if (startingSlots > 0 || (serviceMs < COMPUTING_MS && sandboxes >= processors)) return false
  return busyForMs >= PATIENCE * costMs * sandboxes
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

/** Who is starting may come later than who is woken. */
export function worthOf({ wakingSlots, wakeMs, ...backlog }: WakeableBacklog): Worth {
  return {
    paused: worthWaking({ ...backlog, wakingSlots }, wakeMs.paused),
    hibernated: worthWaking({ ...backlog, wakingSlots }, wakeMs.hibernated),
    start: worthStarting({ ...backlog, startingSlots: backlog.startingSlots + wakingSlots }),
  }
}

/** A wake takes so little of the machine that it is worth whatever it gains. */
function worthWaking(
  { waiting, warmSlots, wakingSlots, serviceMs, withinMs }: Omit<WakeableBacklog, 'wakeMs'>,
  wakeMs: number,
): boolean {
  if (waiting === 0) return false
  if (warmSlots + wakingSlots === 0) return true
  if (serviceMs === undefined) return false
  const restMs = waiting * serviceMs - warmSlots * wakeMs
  return restMs > wakingSlots * Math.max(serviceMs, Math.min(wakeMs, withinMs ?? wakeMs))
}
