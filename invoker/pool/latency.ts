// How many warm sandboxes a latency objective takes: targetLatencyMs of a spec. Measures nothing and starts nothing.

export interface Load {
  /** What 95 of 100 calls are to take at most, waiting and starting included, ms. */
  readonly targetMs: number
  /** Calls per second now; 0 when there has been none lately. */
  readonly callsPerS: number
  /** Mean and 95th percentile of the run alone, ms; undefined while no call has been seen. */
  readonly run: { readonly meanMs: number; readonly p95Ms: number } | undefined
  /** How long the next start takes, ms. */
  readonly startMs: number
  /** Calls at the same time in one sandbox. */
  readonly slots: number
  /** Sandboxes that there may be, by maxSandboxes and by memory. */
  readonly maxSandboxes: number
  readonly maxByMemory: number
}

export interface Staffing {
  /** Warm sandboxes to have. */
  readonly sandboxes: number
  readonly why: string
}

/** Of a Poisson distribution 95 % lie below its mean + 1.65 × √mean: so many calls run at the same time. */
const HEADROOM = 1.65

/**
 * By Little's law `callsPerS × mean run` calls run at the same time on average; the slots are to hold all but one in
 * twenty of their peaks. Where a start fits into the objective too nothing has to be warm ahead.
 *
 * E.g. 20 calls/s of 100 ms: 2 + 1.65 × √2 = 4.4 at the same time; with 2 slots each that is 3 sandboxes.
 */
export function sandboxesFor(load: Load): Staffing {
  const { targetMs, callsPerS, run, startMs, slots, maxSandboxes, maxByMemory } = load
  if (run === undefined) return { sandboxes: 0, why: 'no call has been seen yet' }
  if (run.p95Ms > targetMs) {
    return {
      sandboxes: 1,
      why: `the run alone takes ${shown(run.p95Ms)} of ${shown(targetMs)}: more sandboxes cannot help`,
    }
  }
  if (startMs + run.p95Ms <= targetMs) {
    return { sandboxes: 0, why: `a start of ${shown(startMs)} fits: nothing has to be warm ahead` }
  }
  const atOnce = (callsPerS * run.meanMs) / 1000
  const wanted = Math.max(1, Math.ceil((atOnce + HEADROOM * Math.sqrt(atOnce)) / slots))
  const sandboxes = Math.min(wanted, maxSandboxes, maxByMemory)
  const load_ = `${round(callsPerS)} calls/s of ${shown(run.meanMs)}`
  if (sandboxes === wanted)
    return { sandboxes, why: `a start of ${shown(startMs)} does not fit: ${wanted} warm for ${load_}` }
  const limit = maxSandboxes <= maxByMemory ? `maxSandboxes is ${maxSandboxes}` : `memory is for ${maxByMemory}`
  return { sandboxes, why: `${wanted} warm would be needed for ${load_}: ${limit}` }
}

/** In what time a backlog is to be served that waits for a start (burst.ts); undefined without an objective. */
export function backlogMs(targetMs: number, startMs: number): number | undefined {
  return targetMs === 0 ? undefined : Math.min(startMs, Math.max(1, targetMs - startMs))
}

function shown(ms: number): string {
  return `${round(ms)} ms`
}

function round(value: number): number {
  return value < 10 ? Math.round(value * 10) / 10 : Math.round(value)
}
