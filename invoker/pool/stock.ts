// How many generic sandboxes of each kind to keep: by what was started lately, and by what memory there is. Makes none.
import type { SandboxSpec } from '#invoker/sandbox/driver'

/** Starts of one kind, as they fade: plain data of a fixed size. */
export interface Demand {
  /** Starts in about the last BURST_MS. */
  readonly burst: number
  /** The greatest burst, halved every HALF_LIFE_MS. */
  readonly peak: number
  /** When these numbers were right, ms. */
  readonly at: number
}

export const NO_DEMAND: Demand = { burst: 0, peak: 0, at: 0 }

/** About as long as it takes until what a burst took has been made again. */
const BURST_MS = 5000
const HALF_LIFE_MS = 30 * 60_000
/** A kind that was started once is kept for a half-life. */
const LEAST_PEAK = 0.5
/** Of one kind; after a greater burst the others are cold starts. */
const MOST = 8

/** One more start at `now`. */
export function started(demand: Demand, now: number): Demand {
  const passed = faded(demand, now)
  const burst = passed.burst + 1
  return { burst, peak: Math.max(passed.peak, burst), at: now }
}

export function faded({ burst, peak, at }: Demand, now: number): Demand {
  const ms = Math.max(0, now - at)
  return { burst: burst * Math.exp(-ms / BURST_MS), peak: peak * 2 ** (-ms / HALF_LIFE_MS), at: now }
}

/** `auto`: by demand; a number: so many of each kind in demand. */
export type StockSize = 'auto' | number

export interface Wish {
  readonly demand: Demand
  /** Kept however long ago the last start was. */
  readonly always: boolean
}

export function stockOf({ demand, always }: Wish, size: StockSize, now: number): number {
  const { peak } = faded(demand, now)
  const wanted = peak >= LEAST_PEAK || always
  if (typeof size === 'number') return wanted ? size : 0
  return wanted ? Math.min(MOST, Math.max(1, Math.round(peak))) : 0
}

/** Classes of concurrency: a sandbox is made for the most of its class, and serves every function of it. */
const CONCURRENCY_CLASSES = [16, 128, 1000] as const

/**
 * What a generic sandbox must be made as to be specialized for this spec. Memory is exact: the limits of the process
 * and its file systems are set when it is made, and changing one through Docker takes 30 ms.
 */
export function kindOf({ runtime, engine, memoryMiB, concurrency }: SandboxSpec): SandboxSpec {
  const fits = CONCURRENCY_CLASSES.find((most) => concurrency <= most) ?? concurrency
  return { runtime, engine, memoryMiB, concurrency: fits }
}

export function keyOf({ runtime, engine, memoryMiB, concurrency }: SandboxSpec): string {
  return `${runtime} ${engine} ${memoryMiB} ${concurrency}`
}
