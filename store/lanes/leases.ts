// Renews the leases of claims that this process holds, for all lanes with one timer. Ends no claim itself.
import type { Clock } from '#core/clock'
import { type Linked, LinkedList } from '#core/linked-list'
import { type StopSignal, StopSource } from '#core/stop-signal'

import { cancelMessage, type Lane } from './lane.ts'

const CANCELLED = new Error('the invocation was cancelled')
const REMEMBERED = 1_000

interface HeldJob {
  readonly id: string
  readonly token: string
  readonly isCancelled: boolean
}

interface Lease extends Linked<Lease> {
  readonly lane: Lane
  readonly id: string
  readonly token: string
  readonly lost: StopSource
  readonly cancelled: StopSource
  /** Monotonic ms of the last renewal that is known to have worked. */
  renewedAt: number
}

export interface HeldLease {
  /** Aborts when it could not be renewed in time. */
  readonly lost: StopSignal
  /** Aborts when someone has cancelled the job. */
  readonly cancelled: StopSignal
  /** Stops renewing. Idempotent. */
  end(): void
}

export class Leases implements Disposable {
  readonly #leaseMs: number
  readonly #clock: Clock
  readonly #held = new LinkedList<Lease>()
  readonly #timer: Disposable
  /** The last that were cancelled, held here or not. */
  readonly #cancelled = new Set<string>()

  constructor(leaseMs: number, clock: Clock) {
    this.#leaseMs = leaseMs
    this.#clock = clock
    this.#timer = clock.every(leaseMs / 3, () => void this.#renew())
  }

  /** @param takenAt monotonic ms before the lane was asked: the lease is at least as old */
  hold(lane: Lane, { id, token, isCancelled }: HeldJob, takenAt: number): HeldLease {
    const [lost, cancelled] = [new StopSource(), new StopSource()]
    const lease: Lease = { lane, id, token, lost, cancelled, renewedAt: takenAt, before: undefined, after: undefined }
    this.#held.add(lease)
    if (isCancelled || this.#cancelled.has(cancelMessage(lane.name, id))) cancelled.abort(CANCELLED)
    return { lost, cancelled, end: () => void this.#held.delete(lease) }
  }

  /**
   * Someone has cancelled a job, whoever holds it. Remembered for a while: the message may overtake the answer of the
   * take that it is about.
   * @param message which one (cancelMessage)
   */
  cancel(message: string): void {
    this.#cancelled.add(message)
    if (this.#cancelled.size > REMEMBERED)
      for (const oldest of this.#cancelled.values().take(1)) this.#cancelled.delete(oldest)
    for (const lease of this.#held.toArray()) {
      if (cancelMessage(lease.lane.name, lease.id) === message) lease.cancelled.abort(CANCELLED)
    }
  }

  /** Asks Redis what was cancelled: messages may have been lost. */
  async checkCancelled(): Promise<void> {
    await Promise.all([...this.#byLane()].map(([lane, leases]) => this.#checkLane(lane, leases).catch(() => {})))
  }

  holds(lane: Lane): boolean {
    return this.#held.toArray().some((lease) => lease.lane === lane)
  }

  /** The leases run out by themselves. */
  [Symbol.dispose](): void {
    this.#timer[Symbol.dispose]()
    for (const lease of this.#held.toArray()) this.#held.delete(lease)
  }

  async #renew(): Promise<void> {
    await Promise.all([...this.#byLane()].map(([lane, leases]) => this.#renewLane(lane, leases)))
  }

  #byLane(): Map<Lane, Lease[]> {
    return Map.groupBy(this.#held.toArray(), (lease) => lease.lane)
  }

  async #checkLane(lane: Lane, leases: readonly Lease[]): Promise<void> {
    const cancelled = new Set(await lane.cancelledOf(leases.map(({ id }) => id)))
    for (const lease of leases) if (cancelled.has(lease.id)) lease.cancelled.abort(CANCELLED)
  }

  async #renewLane(lane: Lane, leases: readonly Lease[]): Promise<void> {
    const asked = this.#clock.monotonic()
    // Checked first: when Redis is away the answer below takes its time.
    for (const lease of leases) if (asked - lease.renewedAt > this.#leaseMs) this.#lose(lease)
    try {
      const [ids] = await Promise.all([lane.renew(leases), this.#checkLane(lane, leases)])
      const lost = new Set(ids)
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
