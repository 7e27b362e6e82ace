// Which idle sandboxes to give up when memory is short: Greedy-Dual, as in FaasCache (ASPLOS'21). A sandbox is worth
// clock + frequency × cost ÷ size; the clock moves to the worth of what was evicted last, so that what has not been
// used since grows old.
import { type Placeable, quiet } from './sandbox-state.ts'

export interface Evictable<P> {
  readonly sandbox: P
  /** The pool's eviction clock when it was last used. */
  readonly clock: number
  /** Calls of the version since it has had sandboxes without a break. */
  readonly frequency: number
  /** What it costs to make another one, ms. */
  readonly costMs: number
  readonly memoryMiB: number
}

export function worth({ clock, frequency, costMs, memoryMiB }: Omit<Evictable<unknown>, 'sandbox'>): number {
  return clock + (frequency * costMs) / memoryMiB
}

/**
 * Those of least worth that together free `neededMiB`, but for small ones that the others make unnecessary; undefined when
 * all of them would not be enough.
 */
export function victims<P>(candidates: readonly Evictable<P>[], neededMiB: number): readonly P[] | undefined {
  const chosen: Evictable<P>[] = []
  let freed = 0
  for (const candidate of candidates.toSorted((a, b) => worth(a) - worth(b))) {
    if (freed >= neededMiB) break
    chosen.push(candidate)
    freed += candidate.memoryMiB
  }
  if (freed < neededMiB) return undefined
  const spared = new Set<Evictable<P>>()
  for (const candidate of chosen.toReversed()) {
    if (freed - candidate.memoryMiB < neededMiB) continue
    spared.add(candidate)
    freed -= candidate.memoryMiB
  }
  return chosen.filter((candidate) => !spared.has(candidate)).map(({ sandbox }) => sandbox)
}

/** Those of a version that are without a call, each with what it really holds. */
export function evictableOf<P extends Placeable & { readonly heldMiB: number }>(
  own: readonly P[],
  facts: { readonly frequency: number; readonly costMs: number },
): readonly Evictable<P>[] {
  return own.flatMap((sandbox) => {
    const { state, heldMiB } = sandbox
    return quiet(state) ? [{ sandbox, clock: state.clock, memoryMiB: heldMiB, ...facts }] : []
  })
}
