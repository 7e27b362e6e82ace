// The seam between what takes calls in (gateway) and what runs them (invoker): in one process a direct call, in a
// cluster a connection that speaks frames.
import type { FunctionName } from './ids.ts'
import type { Invocation, ResponseSink, Start, Timings } from './invocation.ts'
import type { Outcome } from './outcome.ts'
import type { StopSignal } from './stop-signal.ts'

export interface InvocationSink extends ResponseSink {
  /** A sandbox is found; comes before everything else. */
  started(start: Start): void
}

export interface Completion {
  readonly outcome: Outcome
  readonly start: Start
  readonly timings: Timings
}

export type DriverName = 'docker' | 'wasm' | 'fake'

/** A driver that is off says why, in words for the start banner: "no daemon at /var/run/docker.sock". */
export type DriverStatus =
  | { readonly name: DriverName; readonly on: true; readonly detail: string }
  | { readonly name: DriverName; readonly on: false; readonly reason: string }

/** How many sandboxes are in each state. */
export interface SandboxCounts {
  /** Those that are being woken included. */
  readonly starting: number
  /** Warm, without a call. */
  readonly idle: number
  /** Without a call for a while: stopped where it is. */
  readonly paused: number
  /** Paused, and its memory moved to swap. */
  readonly hibernated: number
  readonly busy: number
  readonly draining: number
  /** Without code, ready to be specialized: of a driver all, of a function those that its next start could take. */
  readonly generic: number
}

/** The memory of all sandboxes of one state. */
export interface StateMemory {
  /** What they count with in the memory budget. */
  readonly countedMiB: number
  /** What they hold now; absent where their driver cannot tell. */
  readonly residentBytes?: number
}

export type SandboxMemory = { readonly [K in keyof SandboxCounts]?: StateMemory }

/** What it took to wake sandboxes for calls, until they answered, since this process started. */
export interface WakeCost {
  readonly count: number
  readonly totalMs: number
  readonly lastMs: number
  /** Of the last 64. */
  readonly medianMs: number
}

/** By what they were woken from; absent where none was. */
export interface WakeCosts {
  readonly paused?: WakeCost
  readonly hibernated?: WakeCost
}

export interface DriverSandboxes {
  readonly driver: DriverName
  readonly counts: SandboxCounts
  readonly memory: SandboxMemory
  readonly wakes: WakeCosts
}

/** For how long a function without calls stays loaded, and why. */
export interface KeepAliveStatus {
  /** `fixed` by the spec; the others are learned (docs/keep-alive.md). */
  readonly basis: 'fixed' | 'standard' | 'histogram' | 'forecast'
  readonly why: string
  /** Idle times that are remembered. */
  readonly idleTimes: number
  /** Until when it stays loaded when no call comes, ms since the epoch; absent while calls run or nothing is loaded. */
  readonly until?: number
  /** When it will be loaded again ahead of the next call, ms since the epoch. */
  readonly loadAt?: number
}

/** Whether the latency objective of a function is met. */
export interface LatencyStatus {
  readonly targetMs: number
  /** `unknown` while there were too few calls. */
  readonly verdict: 'meets' | 'misses' | 'unknown'
  /** 95th percentile of waiting, starting and running together, of the last calls. */
  readonly p95Ms?: number
  /** Warm sandboxes that are kept for it. */
  readonly sandboxes: number
  readonly why: string
}

export interface FunctionActivity {
  readonly sandboxes: SandboxCounts
  /** Of its own sandboxes, by state; a state without any is absent. */
  readonly memory: SandboxMemory
  readonly wakes: WakeCosts
  /** Why a sandbox that was to be hibernated was not, the last time. */
  readonly notHibernated?: string
  /** Calls that wait for room. */
  readonly waiting: number
  /** Since this process started. */
  readonly starts: { readonly cold: number; readonly specialized: number; readonly warm: number }
  /** The newest last, at most ten. */
  readonly lastStarts: readonly { readonly at: number; readonly kind: Start['kind']; readonly startMs: number }[]
  readonly keepAlive: KeepAliveStatus
  /** Absent without an objective. */
  readonly latency?: LatencyStatus
}

export interface Invoker {
  /**
   * Runs one invocation to its end. Aborting `signal` cancels it wherever it is; the outcome is then `cancelled`.
   * @throws PlatformError when no sandbox could take it: `queue-full`, `wait-timed-out`, `driver-unavailable`,
   * `sandbox-unavailable`, `shutting-down`, `too-many-headers`, `payload-too-large`
   */
  invoke(invocation: Invocation, sink: InvocationSink, signal: StopSignal): Promise<Completion>
  /** Whether an invocation of this function would start at once: what the consumer asks before it takes from a lane. */
  hasRoom(name: FunctionName, version: Invocation['version']): boolean
  /** Of the function, whose live version this is. */
  activity(live: Invocation['version']): FunctionActivity
  /** For metrics: sandboxes by driver and state. */
  sandboxes(): readonly DriverSandboxes[]
  drivers(): readonly DriverStatus[]
  /**
   * This version is live, since now or since before this process started: what it wants ahead of calls is started
   * (minSandboxes, calls that are expected), as far as memory is free.
   */
  prepare(version: Invocation['version']): void
  /** Sandboxes of versions other than `live` end as soon as their calls have. Undefined: the function is gone. */
  retire(name: FunctionName, live: Invocation['version']['number'] | undefined): void
}
