// What waking sandboxes took. Decides nothing.
import type { WakeCost, WakeCosts } from '#core/invoker'

import type { Rung } from './sandbox-state.ts'

const KEPT = 64

export class Wakes {
  readonly #rungs = new Map<Rung, { readonly recent: number[]; count: number; totalMs: number }>()

  add(from: Rung, ms: number): void {
    let rung = this.#rungs.get(from)
    if (rung === undefined) this.#rungs.set(from, (rung = { recent: [], count: 0, totalMs: 0 }))
    rung.count += 1
    rung.totalMs += ms
    rung.recent.push(ms)
    if (rung.recent.length > KEPT) rung.recent.shift()
  }

  get costs(): WakeCosts {
    const [paused, hibernated] = [this.#cost('paused'), this.#cost('hibernated')]
    return { ...(paused && { paused }), ...(hibernated && { hibernated }) }
  }

  #cost(from: Rung): WakeCost | undefined {
    const rung = this.#rungs.get(from)
    if (rung === undefined) return undefined
    const { recent, count, totalMs } = rung
    const medianMs = recent.toSorted((a, b) => a - b)[Math.floor((recent.length - 1) / 2)] ?? 0
    return { count, totalMs, lastMs: recent.at(-1) ?? 0, medianMs }
  }
}
