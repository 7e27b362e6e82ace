// Decides where a call goes: every scheduling decision is here, over plain data. Never talks to a sandbox.
import { type Evictable, victims } from './evict.ts'
import { countServing, freeSlots, type Placeable } from './sandbox-state.ts'

export interface Demand {
  /** Of one sandbox more. */
  readonly memoryMiB: number
  readonly maxSandboxes: number
  /** Whether the calls that wait are worth another sandbox (burst.ts). */
  readonly worthStart: boolean
}

export interface View<P> {
  /** Sandboxes of the version. */
  readonly own: readonly P[]
  /** Generic sandboxes that could be specialized for it. */
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
  | { readonly kind: 'specialize'; readonly sandbox: P }
  /** A new one, once those in `evict` are gone. */
  | { readonly kind: 'create'; readonly evict: readonly P[] }
  /** `memory`: only for want of memory. */
  | { readonly kind: 'wait'; readonly for: 'slot' | 'memory' }

const WAIT_FOR_SLOT = { kind: 'wait', for: 'slot' } as const

export function place<P extends Placeable>(demand: Demand, view: View<P>): Placement<P> {
  const warm = bestWarm(view.own)
  if (warm !== undefined) return { kind: warm.state.kind === 'idle' ? 'reuse' : 'join', sandbox: warm }
  return demand.worthStart ? placeNew(demand, view) : WAIT_FOR_SLOT
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

function placeNew<P extends Placeable>(demand: Demand, view: View<P>): Placement<P> {
  const { memoryMiB, maxSandboxes } = demand
  const { own, generic, freeMiB } = view
  if (countServing(own) >= maxSandboxes) return WAIT_FOR_SLOT
  const cell = generic.find(({ state }) => state.kind === 'generic')
  if (cell !== undefined) return { kind: 'specialize', sandbox: cell }
  if (memoryMiB <= freeMiB) return { kind: 'create', evict: [] }
  const evict = victims(view.evictable(), memoryMiB - freeMiB)
  return evict === undefined ? { kind: 'wait', for: 'memory' } : { kind: 'create', evict }
}
