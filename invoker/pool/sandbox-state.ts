// The states of a sandbox in the pool, each with the data that belongs to it. Says nothing of how one becomes another:
// that is version-pool.ts.
import type { SandboxCounts } from '#core/invoker'

/** All times are in ms of the pool's monotonic clock. */
export type SandboxState =
  /** Being created, specialized or loaded, with room for `slots` calls when it is ready. */
  | { readonly kind: 'starting'; readonly since: number; readonly slots: number }
  /** Without code, ready to be specialized. */
  | { readonly kind: 'generic'; readonly since: number }
  | IdleState
  | RestingState
  /** Being woken, with room for `slots` calls when it is awake. */
  | { readonly kind: 'waking'; readonly since: number; readonly slots: number }
  /** Warm, with calls. `accepting`: fit for more, as far as there are slots. */
  | { readonly kind: 'busy'; readonly inFlight: number; readonly slots: number; readonly accepting: boolean }
  /** It ends with its last call, or is ending. */
  | { readonly kind: 'draining' }

interface Quiet {
  /** Without a call since then. */
  readonly since: number
  readonly slots: number
  /** The eviction clock when it was last used (evict.ts). */
  readonly clock: number
}

/** Warm, without a call. */
export type IdleState = Quiet & { readonly kind: 'idle' }

/** Idle for so long that it is stopped where it is, or about to be; of a hibernated one most memory is elsewhere. */
export type RestingState =
  | (Quiet & { readonly kind: 'paused' })
  | (Quiet & { readonly kind: 'hibernated'; readonly residentMiB: number })

export type Rung = RestingState['kind']

/** A sandbox as the deciders see it. */
export interface Placeable {
  readonly state: SandboxState
}

/** Calls it could take now. */
export function freeSlots(state: SandboxState): number {
  if (state.kind === 'idle') return state.slots
  return state.kind === 'busy' && state.accepting ? state.slots - state.inFlight : 0
}

/** Calls it could take now or when it has started or is awake. */
export function coming(state: SandboxState): number {
  return state.kind === 'starting' || state.kind === 'waking' || resting(state) ? state.slots : freeSlots(state)
}

export function resting(state: SandboxState): state is RestingState {
  return state.kind === 'paused' || state.kind === 'hibernated'
}

/** Without a call, awake or not. */
export function quiet(state: SandboxState): state is IdleState | RestingState {
  return state.kind === 'idle' || resting(state)
}

/** Slots of the sandboxes in these states, taken or not. */
export function slotsIn(sandboxes: readonly Placeable[], ...kinds: readonly SandboxState['kind'][]): number {
  return sandboxes.reduce(
    (sum, { state }) => ('slots' in state && kinds.includes(state.kind) ? sum + state.slots : sum),
    0,
  )
}

/** How many count towards minSandboxes and maxSandboxes. */
export function countServing(sandboxes: readonly Placeable[]): number {
  return sandboxes.reduce((count, { state }) => count + Number(serving(state)), 0)
}

const NO_SANDBOXES: SandboxCounts = {
  starting: 0,
  idle: 0,
  paused: 0,
  hibernated: 0,
  busy: 0,
  draining: 0,
  generic: 0,
}

/** As what it is counted. */
export function countedAs({ kind }: SandboxState): keyof SandboxCounts {
  return kind === 'waking' ? 'starting' : kind
}

export function countStates(sandboxes: readonly Placeable[]): SandboxCounts {
  const counts = { ...NO_SANDBOXES }
  for (const { state } of sandboxes) counts[countedAs(state)] += 1
  return counts
}

/** Whether it counts towards minSandboxes and maxSandboxes. */
export function serving(state: SandboxState): boolean {
  return state.kind !== 'generic' && state.kind !== 'draining'
}
