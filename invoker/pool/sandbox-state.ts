// The states of a sandbox in the pool, each with the data that belongs to it. Says nothing of how one becomes another:
// that is version-pool.ts.
import type { SandboxCounts } from '#core/invoker'

/** All times are in ms of the pool's monotonic clock. */
export type SandboxState =
  /** Being created, specialized or loaded, with room for `slots` calls when it is ready. */
  | { readonly kind: 'starting'; readonly since: number; readonly slots: number }
  /** Without code, ready to be specialized. */
  | { readonly kind: 'generic'; readonly since: number }
  /** Warm, without a call. `clock` is the eviction clock when it was last used (evict.ts). */
  | { readonly kind: 'idle'; readonly since: number; readonly slots: number; readonly clock: number }
  /** Warm, with calls. `accepting`: fit for more, as far as there are slots. */
  | { readonly kind: 'busy'; readonly inFlight: number; readonly slots: number; readonly accepting: boolean }
  /** It ends with its last call, or is ending. */
  | { readonly kind: 'draining' }

/** A sandbox as the deciders see it. */
export interface Placeable {
  readonly state: SandboxState
}

/** Calls it could take now. */
export function freeSlots(state: SandboxState): number {
  if (state.kind === 'idle') return state.slots
  return state.kind === 'busy' && state.accepting ? state.slots - state.inFlight : 0
}

/** Calls it could take now or when it has started. */
export function coming(state: SandboxState): number {
  return state.kind === 'starting' ? state.slots : freeSlots(state)
}

/** Slots of the sandboxes in these states, taken or not. */
export function slotsIn(sandboxes: readonly Placeable[], ...kinds: readonly ('starting' | 'idle' | 'busy')[]): number {
  return sandboxes.reduce(
    (sum, { state }) => ('slots' in state && kinds.includes(state.kind) ? sum + state.slots : sum),
    0,
  )
}

/** How many count towards minSandboxes and maxSandboxes. */
export function countServing(sandboxes: readonly Placeable[]): number {
  return sandboxes.reduce((count, { state }) => count + Number(serving(state)), 0)
}

export function countStates(sandboxes: readonly Placeable[]): SandboxCounts {
  const counts = { starting: 0, idle: 0, busy: 0, draining: 0, generic: 0 }
  for (const { state } of sandboxes) counts[state.kind] += 1
  return counts
}

export function sumCounts(all: readonly SandboxCounts[]): SandboxCounts {
  const sum = { starting: 0, idle: 0, busy: 0, draining: 0, generic: 0 }
  for (const counts of all) {
    for (const kind of ['starting', 'idle', 'busy', 'draining', 'generic'] as const) sum[kind] += counts[kind]
  }
  return sum
}

/** Whether it counts towards minSandboxes and maxSandboxes. */
export function serving(state: SandboxState): boolean {
  return state.kind === 'starting' || state.kind === 'idle' || state.kind === 'busy'
}
