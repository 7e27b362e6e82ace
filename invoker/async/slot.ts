// One of the slots of a lane server while it is held: by a take, then by one invocation after the other.
import type { Linked } from '#core/linked-list'
import { type StopSignal, StopSource } from '#core/stop-signal'

/** Asked and told on the way by what is run. */
export interface Handover {
  /** Aborts when the process can wait no longer. */
  readonly stop: StopSignal
  /** It is only to be ended, if it is too old or cancelled, and else to be put back. */
  readonly onlyIfOver: boolean
  /** The invoker knows of it: from now on it is in what the invoker says of its room. */
  started(): void
  /** What is left is to write down what came of it. */
  ran(): void
  /** Asked at most once, before it is handed back: whether the next one of the lane is to be taken along. */
  wantsNext(): boolean
}

/** What a slot tells whoever gave it. */
export interface SlotOwner {
  onStarted(slot: Slot): void
  wantsNext(slot: Slot): boolean
}

/** Where it is counted what the invoker does not know of yet. */
export interface Pending {
  pending: number
}

export class Slot implements Handover, Linked<Slot> {
  before: Slot | undefined
  after: Slot | undefined
  readonly lane: Pending
  readonly onlyIfOver: boolean
  readonly #owner: SlotOwner
  #stop = new StopSource()
  /** As `given` or `back`; `carried`: given again to take the next one along, which may turn out not to be there. */
  state: 'given' | 'carried' | 'back' = 'given'
  /** What the lane paid for it, ms. */
  paid = 0
  /** monotonic ms */
  since = 0
  /** Of the lane, when it was given. */
  bells = 0
  #isPending = false

  constructor(lane: Pending, owner: SlotOwner, onlyIfOver = false) {
    this.lane = lane
    this.onlyIfOver = onlyIfOver
    this.#owner = owner
  }

  get stop(): StopSignal {
    return this.#stop
  }

  abort(): void {
    this.#stop.abort()
  }

  /** A claim is there to be run. */
  begin(): void {
    this.state = 'given'
    if (!this.#stop.aborted) this.#stop = new StopSource()
  }

  /** Whether it is to be counted with what the invoker does not know of. */
  set isPending(value: boolean) {
    if (value === this.#isPending) return
    this.#isPending = value
    this.lane.pending += value ? 1 : -1
  }

  started(): void {
    this.isPending = false
    this.#owner.onStarted(this)
  }

  ran(): void {
    this.isPending = true
  }

  wantsNext(): boolean {
    return this.#owner.wantsNext(this)
  }
}
