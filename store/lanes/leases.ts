// Renews the leases of claims that this process holds, for all lanes with one timer. Ends no claim itself.
import type { Clock } from '#core/clock'

import type { Lane } from './lane.ts'

interface Lease {
  readonly lane: Lane
  readonly id: string
  readonly token: string
  readonly lost: AbortController
  /** Monotonic ms of the last renewal that is known to have worked. */
  renewedAt: number
}

export interface HeldLease {
  /** Aborts when it could not be renewed in time. */
  readonly lost: AbortSignal
  /** Stops renewing. Idempotent. */
  end(): void
}

export class Leases implements Disposable {
  readonly #leaseMs: number
  readonly #clock: Clock
  readonly #held = new Set<Lease>()
  readonly #timer: Disposable

  constructor(leaseMs: number, clock: Clock) {
    this.#leaseMs = leaseMs
    this.#clock = clock
    this.#timer = clock.every(leaseMs / 3, () => void this.#renew())
  }

  /** @param takenAt monotonic ms before the lane was asked: the lease is at least as old */
  hold(lane: Lane, { id, token }: { id: string; token: string }, takenAt: number): HeldLease {
    const lease: Lease = { lane, id, token, lost: new AbortController(), renewedAt: takenAt }
    this.#held.add(lease)
    return { lost: lease.lost.signal, end: () => void this.#held.delete(lease) }
  }

  holds(lane: Lane): boolean {
    return this.#held.values().some((lease) => lease.lane === lane)
  }

  /** The leases run out by themselves. */
  [Symbol.dispose](): void {
    this.#timer[Symbol.dispose]()
    this.#held.clear()
  }

  async #renew(): Promise<void> {
    const byLane = Map.groupBy(this.#held, (lease) => lease.lane)
    await Promise.all([...byLane].map(([lane, leases]) => this.#renewLane(lane, leases)))
  }

  async #renewLane(lane: Lane, leases: readonly Lease[]): Promise<void> {
    const asked = this.#clock.monotonic()
    // Checked first: when Redis is away the answer below takes its time.
    for (const lease of leases) if (asked - lease.renewedAt > this.#leaseMs) this.#lose(lease)
    try {
      const lost = new Set(await lane.renew(leases))
      for (const lease of leases) {
        if (lost.has(lease.id)) this.#lose(lease)
        else lease.renewedAt = asked
      }
    } catch {
      // Tried again with the next tick, until the lease is over.
    }
  }

  #lose(lease: Lease): void {
    // One that has ended meanwhile is not lost: its job is gone because it is done.
    if (this.#held.delete(lease)) lease.lost.abort(new Error('the lease is lost'))
  }
}
