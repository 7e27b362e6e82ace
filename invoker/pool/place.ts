// Decides where a call goes: every scheduling decision is here, over plain data. Never talks to a sandbox.
import { type Evictable, victims } from './evict.ts'
import type { Worth } from './burst.ts'
import { countServing, freeSlots, type Placeable, resting, type RestingState, type Rung } from './sandbox-state.ts'

export interface Demand {
  /** Of one sandbox more. */
  readonly memoryMiB: number
  readonly maxSandboxes: number
  /** What the calls that wait are worth (burst.ts). */
  readonly worth: Worth
}

export interface View<P> {
  /** Sandboxes of the version. */
  readonly own: readonly P[]
  /** Generic sandboxes that could be specialized for it, those included that are being made. */
  readonly generic: readonly P[]
  readonly freeMiB: number
  /** Idle sandboxes of other versions that may be given up; only asked for when memory is short. */
  evictable(): readonly Evictable<P>[]
}

export type Placement<P> =
  /** An idle one, used most recently: the others may expire. */
  | { readonly kind: 'reuse'; readonly sandbox: P }
  /** One that runs other calls, as few as possible. */
  | { readonly kind: 'join'; readonly sandbox: P }
  /** One that sleeps, the lightest sleepers first, once those in `evict` are gone. */
  | { readonly kind: 'wake'; readonly sandbox: P; readonly evict: readonly P[] }
  | { readonly kind: 'specialize'; readonly sandbox: P }
  /** A new one, once those in `evict` are gone. */
  | { readonly kind: 'create'; readonly evict: readonly P[] }
  /** `memory`: only for want of memory. */
  | { readonly kind: 'wait'; readonly for: 'slot' | 'memory' }

const WAIT_FOR_SLOT = { kind: 'wait', for: 'slot' } as const
const WAIT_FOR_MEMORY = { kind: 'wait', for: 'memory' } as const

export function place<P extends Placeable>(demand: Demand, view: View<P>): Placement<P> {
  const warm = bestWarm(view.own)
  if (warm !== undefined) return { kind: warm.state.kind === 'idle' ? 'reuse' : 'join', sandbox: warm }
  const wake = placeWake(demand, view)
  if (wake?.kind === 'wake') return wake
  const other = demand.worth.start ? placeNew(demand, view) : WAIT_FOR_SLOT
  return other.kind === 'wait' ? (wake ?? other) : other
}

/**
 * Where a sandbox comes from that nobody waits for yet; undefined: there is to be none now. Idle ones of others are not
 * given up for it, and the last generic one is left to calls, unless the version has no sandbox at all: its next call
 * would want it as well.
 */
export function placeAhead<P extends Placeable>(
  { memoryMiB }: Pick<Demand, 'memoryMiB'>,
  { own, generic, freeMiB }: Omit<View<P>, 'evictable'>,
): Extract<Placement<P>, { kind: 'specialize' | 'create' }> | undefined {
  const [cell, another] = generic.filter(({ state }) => state.kind === 'generic')
  if (cell !== undefined && (another !== undefined || countServing(own) === 0)) {
    return { kind: 'specialize', sandbox: cell }
  }
  return memoryMiB <= freeMiB ? { kind: 'create', evict: [] } : undefined
}

/** The sandbox that a call should go to now, if any has room. */
export function bestWarm<P extends Placeable>(own: readonly P[]): P | undefined {
  let best: P | undefined
  for (const candidate of own) {
    if (freeSlots(candidate.state) > 0 && (best === undefined || isBetter(candidate, best))) best = candidate
  }
  return best
}

function isBetter({ state: a }: Placeable, { state: b }: Placeable): boolean {
  if (a.kind === 'idle') return b.kind !== 'idle' || a.since > b.since
  return a.kind === 'busy' && b.kind === 'busy' && a.inFlight < b.inFlight
}

/** Undefined when there is none to wake, or when that is not worth it. */
function placeWake<P extends Placeable>({ memoryMiB, worth }: Demand, view: View<P>): Placement<P> | undefined {
  const paused = worth.paused ? lastUsed(view.own, 'paused') : undefined
  if (paused !== undefined) return { kind: 'wake', sandbox: paused.sandbox, evict: [] }
  const hibernated = worth.hibernated ? lastUsed(view.own, 'hibernated') : undefined
  if (hibernated?.state.kind !== 'hibernated') return undefined
  const { sandbox, state } = hibernated
  // What it has given up it needs again.
  const missingMiB = memoryMiB - state.residentMiB - view.freeMiB
  if (missingMiB <= 0) return { kind: 'wake', sandbox, evict: [] }
  const others = view.evictable().filter((candidate) => candidate.sandbox !== sandbox)
  const evict = victims(others, missingMiB)
  return evict === undefined ? WAIT_FOR_MEMORY : { kind: 'wake', sandbox, evict }
}

function lastUsed<P extends Placeable>(
  own: readonly P[],
  rung: Rung,
): { readonly sandbox: P; readonly state: RestingState } | undefined {
  let last: { readonly sandbox: P; readonly state: RestingState } | undefined
  for (const sandbox of own) {
    const { state } = sandbox
    if (!resting(state) || state.kind !== rung) continue
    if (last === undefined || state.since > last.state.since) last = { sandbox, state }
  }
  return last
}

function placeNew<P extends Placeable>(demand: Demand, view: View<P>): Placement<P> {
  const { memoryMiB, maxSandboxes } = demand
  const { own, generic, freeMiB } = view
  if (countServing(own) >= maxSandboxes) return WAIT_FOR_SLOT
  // One that is being made was begun before a new one would be.
  const cell =
    generic.find(({ state }) => state.kind === 'generic') ?? generic.find(({ state }) => state.kind === 'starting')
  if (cell !== undefined) return { kind: 'specialize', sandbox: cell }
  if (memoryMiB <= freeMiB) return { kind: 'create', evict: [] }
  const evict = victims(view.evictable(), memoryMiB - freeMiB)
  return evict === undefined ? WAIT_FOR_MEMORY : { kind: 'create', evict }
}
