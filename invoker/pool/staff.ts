// The warm sandboxes that a function has for its latency objective: looks at its load from time to time and asks
// latency.ts.
import type { LatencyStatus } from '#core/invoker'

import type { House } from './house.ts'
import { sandboxesFor, type Staffing } from './latency.ts'
import { LatencyWatch } from './latency-watch.ts'
import type { VersionPool } from './version-pool.ts'

/** How often, while calls come. */
const LOOK_MS = 1000
const IDLE_LOOK_MS = 3_600_000
const NONE: Staffing = { sandboxes: 0, why: 'no call has been seen in 24 h' }

export class Staff {
  readonly #house: House
  /** Undefined before the first call with an objective. */
  #watch: LatencyWatch | undefined
  #staffing = NONE

  constructor(house: House) {
    this.#house = house
  }

  get sandboxes(): number {
    return this.#staffing.sandboxes
  }

  /** What a call took. @returns when to look, monotonic ms */
  observe(totalMs: number, runMs: number): number {
    const now = this.#house.clock.monotonic()
    this.#watch ??= new LatencyWatch(now)
    this.#watch.called(totalMs, runMs, now)
    return now + LOOK_MS
  }

  /** Brings the staff up to date. @returns when to look again; Infinity: after the next call */
  look(pool: VersionPool, now: number): number {
    const { spec } = pool.version
    const watch = this.#watch
    if (watch === undefined) return Infinity
    watch.look(now)
    if (spec.targetLatencyMs === 0 || !watch.inUse(now)) {
      this.#staffing = NONE
      return Infinity
    }
    const before = this.sandboxes
    this.#staffing = sandboxesFor({
      targetMs: spec.targetLatencyMs,
      callsPerS: watch.callsPerS,
      run: watch.run,
      startMs: pool.startMs,
      slots: this.#house.starter.slotsOf(spec),
      maxSandboxes: spec.maxSandboxes,
      maxByMemory: Math.max(0, Math.floor((this.#house.freeMiB + pool.usedMiB) / spec.memoryMiB)),
    })
    if (this.sandboxes > before || this.sandboxes > pool.serving) pool.pump()
    return now + (watch.callsPerS > 0 ? LOOK_MS : IDLE_LOOK_MS)
  }

  /** Undefined without an objective. */
  status(targetMs: number): LatencyStatus | undefined {
    if (!(targetMs > 0)) return undefined
    const { sandboxes, why } = this.#staffing
    const p95Ms = this.#watch?.p95Ms
    if (p95Ms === undefined) return { targetMs, verdict: 'unknown', sandboxes, why }
    return { targetMs, verdict: p95Ms <= targetMs ? 'meets' : 'misses', p95Ms, sandboxes, why }
  }
}
