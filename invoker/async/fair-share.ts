// Whose turn the next free slot is. Pure: knows lanes by what they have used, and neither Redis nor time.
//
// Deficit round robin (Shreedhar and Varghese 1996): in every round a lane with work may use its quantum, in proportion
// to its weight. What it pays with is slot time, not invocations: slots are what there is too little of, and paid by the
// piece a function with calls of 10 s would hold a thousand times the slots of one with calls of 10 ms (the test
// simulates both). How long a call will run is known when it has: a lane pays what its calls take on average when it
// gets a slot, and the difference when it gives it back, so that it may owe for the rounds to come, as in surplus round
// robin (Adiseshu et al. 1996). Rounds in which nobody may go are not walked through: a lane that owes is in the heap
// under the round in which it may go again, so a turn costs O(log lanes), however deep the debts.
//
// A lane that comes with work after a pause, and has something left in the round, goes before those who have been waiting
// (as the new flows of fq_codel, RFC 8290). No credit is kept: who could not be served in its rounds has lost them.
import { type Heaped, LaneHeap } from './lane-heap.ts'

/** What is known of a lane. All but `weight` is kept by FairShare. */
export interface Share extends Heaped {
  weight: number
  /** Slots that it holds. */
  inHand: number
  /** What its calls take, ms, on average, the last ones more. */
  meanMs: number
  /** In which it may go next. */
  round: number
  /** Slot time that it has left in the round, ms. */
  deficit: number
  /** Its place within the round. */
  turn: number
}

/** Slot time in a round for a weight of 1, ms: a few short calls at a time. */
const QUANTUM_MS = 10
/** What a call is expected to take when none of the lane has ended yet, ms. */
const UNKNOWN_MS = 50
/** Weight of the last call in the average. */
const NEWEST = 1 / 8
/** Of so many slots that a lane holds, another one stays free for lanes that hold none. */
const HELD_PER_FREE = 16
/** Comes off the turn of those who go first in a round. */
const AHEAD = 2 ** 50

export function newShare(weight: number): Share {
  return { heapIndex: -1, weight, inHand: 0, meanMs: UNKNOWN_MS, round: -1, deficit: 0, turn: 0 }
}

export class FairShare<T extends Share> {
  readonly #slots: number
  /** Lanes with work that hold no slot, and those that hold some. */
  readonly #fresh = new LaneHeap<T>(goesBefore)
  readonly #busy = new LaneHeap<T>(goesBefore)
  #free: number
  #round = 0
  #turns = 0

  constructor(slots: number) {
    this.#slots = slots
    this.#free = slots
  }

  get inHand(): number {
    return this.#slots - this.#free
  }

  /** Lanes that are in line. */
  get waiting(): number {
    return this.#fresh.size + this.#busy.size
  }

  has(lane: T): boolean {
    return lane.heapIndex >= 0
  }

  /** It has work that could be run now. */
  join(lane: T): void {
    if (this.has(lane)) return
    lane.turn = ++this.#turns
    if (lane.round <= this.#round) lane.turn -= AHEAD
    if (lane.round < this.#round) this.#enter(lane)
    this.#add(lane)
  }

  /** It has no more work, or none that could be run now. */
  leave(lane: T): void {
    if (!this.#fresh.delete(lane)) this.#busy.delete(lane)
  }

  /**
   * Whose turn it is; undefined when no slot is free for any of those in line. A lane that holds slots already leaves
   * one free for every sixteen it has, and always one: then a lane that holds none gets one at once, however long the
   * calls of the others run. (The threshold that moves with what is free is that of Choudhury and Hahne, 1998.)
   */
  next(): T | undefined {
    if (this.#free < 1) return undefined
    const fresh = this.#fresh.first
    const busy = this.#free > 1 ? this.#firstBusy() : undefined
    if (fresh === undefined || busy === undefined) return fresh ?? busy
    return goesBefore(fresh, busy) ? fresh : busy
  }

  /** Gives it a slot; it stays in line. @returns what it has paid, ms; for `giveBack` or `undo` */
  take(lane: T): number {
    const waits = this.has(lane)
    if (waits) this.leave(lane)
    if (lane.round < this.#round) this.#enter(lane)
    this.#round = lane.round
    const paid = lane.meanMs
    lane.inHand += 1
    this.#free -= 1
    this.#pay(lane, paid)
    if (waits) this.#add(lane)
    return paid
  }

  /** The call is over. @param tookMs how long the slot was taken */
  giveBack(lane: T, paid: number, tookMs: number): void {
    lane.meanMs += (tookMs - lane.meanMs) * NEWEST
    this.#release(lane, tookMs - paid)
    // Many calls that were expected to be short may owe no more together than the last of them alone.
    const latest = this.#round + Math.ceil(tookMs / quantumOf(lane)) + 1
    if (lane.round > latest) this.#move(lane, () => (lane.round = latest))
  }

  /** There was nothing to run after all. */
  undo(lane: T, paid: number): void {
    this.#release(lane, -paid)
  }

  #release(lane: T, owes: number): void {
    this.#move(lane, () => {
      lane.inHand -= 1
      this.#free += 1
      this.#pay(lane, owes)
      if (lane.round < this.#round) this.#enter(lane)
    })
  }

  #move(lane: T, change: () => void): void {
    const waits = this.has(lane)
    if (waits) this.leave(lane)
    change()
    if (waits) this.#add(lane)
  }

  #add(lane: T): void {
    if (lane.inHand === 0) this.#fresh.add(lane)
    else this.#busy.add(lane)
  }

  /** It takes part in the round that is on, with one quantum and nothing from before. */
  #enter(lane: T): void {
    lane.round = this.#round
    lane.deficit = quantumOf(lane)
  }

  /** @param ms negative: it gets something back */
  #pay(lane: T, ms: number): void {
    const quantum = quantumOf(lane)
    lane.deficit -= ms
    // The deficit of a round is in (0, quantum].
    const rounds = 1 - Math.ceil(lane.deficit / quantum)
    if (rounds === 0) return
    lane.round += rounds
    lane.deficit += rounds * quantum
    lane.turn = ++this.#turns
  }

  #firstBusy(): T | undefined {
    const held: T[] = []
    let first = this.#busy.first
    while (first !== undefined && first.inHand > HELD_PER_FREE * (this.#free - 1)) {
      this.#busy.delete(first)
      held.push(first)
      first = this.#busy.first
    }
    for (const lane of held) this.#busy.add(lane)
    return first
  }
}

function quantumOf(lane: Share): number {
  return QUANTUM_MS * lane.weight
}

function goesBefore(a: Share, b: Share): boolean {
  return a.round === b.round ? a.turn < b.turn : a.round < b.round
}
