// Serves lanes of one kind: takes from them into free slots, in the order of fair-share.ts, and has what it took run.
// What is to be done with a claim, and whether there is room for it, is up to the service.
import type { Clock } from '#core/clock'
import type { LaneName } from '#core/ids'
import { LinkedList } from '#core/linked-list'
import type { Claim, Lanes } from '#core/queue'

import type { Log } from '#invoker/log'
import { within } from '#invoker/within'
import { FairShare, newShare, type Share } from './fair-share.ts'
import { type Handover, Slot, type SlotOwner } from './slot.ts'

/** A lane that has or had work. */
export interface OpenLane extends Share {
  readonly name: LaneName
  /** Takes under way, claims on their way to the invoker, and those that are being handed back. */
  pending: number
  /** Takes under way. */
  taking: number
  /** Takes in a row that have found work. */
  streak: number
  /** Whether it has more work than was taken is not known. */
  isUnsure: boolean
  /** Counts bells: one that comes during a take that finds nothing must not be lost. */
  bells: number
  /** Since when there has been work and no room, monotonic ms. */
  parkedAt: number | undefined
  usedAt: number
}

/** `look-up`: the lane is to be looked up first. */
export type Admission = 'yes' | 'no-room' | 'look-up'

export interface Service<L extends OpenLane> {
  open(lane: OpenLane): L
  /** Whether one more of the lane could be run at once, beside those that are pending. */
  admits(lane: L): Admission
  /** Rejects when it is to be tried again with the next bell. Afterwards `admits` answers something else. */
  lookUp(lane: L): Promise<void>
  /** Whether what waits in the lane may become too old to be run. */
  expires(lane: L): boolean
  /** Never rejects. @returns the next one of the lane, where `handover.wantsNext` was asked, and one was there */
  run(claim: Claim, lane: L, handover: Handover): Promise<Claim | undefined>
}

export interface LaneServerOptions<L extends OpenLane> {
  readonly lanes: Pick<Lanes, 'take'>
  readonly service: Service<L>
  readonly clock: Clock
  readonly log: Log
  /** Most that are held at the same time. */
  readonly slots: number
}

/** So many takes in a row that found work mean that there is more. */
const SURE_STREAK = 3
/** Of one lane at a time. */
const MOST_TAKES = 4
/** Changes of room within it are looked at together. */
const GATHER_MS = 1
/** Lanes without room that are looked at in one go, the one that has waited longest first. */
const LOOK_AT = 32
/** A lane that runs nothing and has had no room for so long is served all the same, ms. */
const PATIENCE_MS = 1000
/** Of so many slots, one may be held by what waits for room. */
const SLOTS_PER_IMPATIENT = 16
/** How often lanes that are not served are looked into for what is too old, ms. */
const LOOK_INTO_MS = 5000
/** A lane without work is forgotten after a while, ms; until then it need not be looked up again. */
const FORGET_MS = 60_000
const RELEASE_MS = 2000

export class LaneServer<L extends OpenLane> implements SlotOwner {
  readonly #options: LaneServerOptions<L>
  readonly #share: FairShare<L>
  readonly #lanes = new Map<LaneName, L>()
  /** Lanes with work and without room, the one that has waited longest first. */
  readonly #parked = new Set<L>()
  readonly #held = new LinkedList<Slot>()
  /** Those that wait for room in the pool's line. */
  readonly #impatient = new Set<Slot>()
  readonly #timers = new DisposableStack()
  #gathering: Disposable | undefined
  /** Parked lanes that were not looked at since room last changed. */
  #unseen = 0
  #closing = false
  #emptied: PromiseWithResolvers<void> | undefined

  constructor(options: LaneServerOptions<L>) {
    this.#options = options
    this.#share = new FairShare(options.slots)
    this.#timers.use(options.clock.every(FORGET_MS / 2, () => this.#forgetUnused()))
    this.#timers.use(options.clock.every(PATIENCE_MS, () => this.#serveImpatient()))
    this.#timers.use(options.clock.every(LOOK_INTO_MS, () => this.#lookForExpired()))
  }

  rung(name: LaneName): void {
    if (this.#closing) return
    const lane = this.#opened(name)
    lane.bells += 1
    if (this.#rejoin(lane)) this.#serve()
  }

  roomChanged(): void {
    this.#unseen = this.#parked.size
    this.#gather()
  }

  /** What is known of the lane, or of all, is old. */
  refresh(name: LaneName | undefined, forget: (lane: L) => void): void {
    const lane = name === undefined ? undefined : this.#lanes.get(name)
    for (const each of name === undefined ? this.#lanes.values() : lane === undefined ? [] : [lane]) {
      forget(each)
      this.#unpark(each)
    }
    this.#serve()
  }

  /** Takes no more, lets what runs finish for `drainMs`, and has the rest put back. */
  async close(drainMs: number): Promise<void> {
    this.#closing = true
    this.#timers.dispose()
    this.#gathering?.[Symbol.dispose]()
    const { clock } = this.#options
    await within(this.#empty(), drainMs, clock)
    for (const slot of this.#held.toArray()) slot.abort()
    await within(this.#empty(), RELEASE_MS, clock)
  }

  onStarted(slot: Slot): void {
    this.#impatient.delete(slot)
    // A sandbox that it has started may have room for more.
    const lane = slot.lane as L
    if (this.#parked.has(lane)) this.#unpark(lane)
    this.#gather()
  }

  /** The slot goes to whose turn it is; for one to be taken along, that must be the same lane again. */
  wantsNext(slot: Slot): boolean {
    const lane = slot.lane as L
    this.#giveBack(slot)
    if (this.#closing) return this.#freed()
    if (slot.onlyIfOver || (this.#isTurnOf(lane) && this.#options.service.admits(lane) === 'yes')) {
      lane.isUnsure = false
      this.#give(slot, lane)
      slot.state = 'carried'
      return true
    }
    return this.#freed()
  }

  #isTurnOf(lane: L): boolean {
    // To ask for more along with the end costs nothing, so it is not left to a take.
    if (lane.isUnsure) return true
    const next = this.#share.next()
    return next === lane || (next === undefined && lane.taking > 0)
  }

  #empty(): Promise<void> {
    if (this.#share.inHand === 0) return Promise.resolve()
    this.#emptied ??= Promise.withResolvers()
    return this.#emptied.promise
  }

  #opened(name: LaneName): L {
    let lane = this.#lanes.get(name)
    if (lane === undefined) {
      const counts = { pending: 0, taking: 0, streak: 0, bells: 0 }
      const usedAt = this.#options.clock.monotonic()
      lane = this.#options.service.open({
        ...newShare(1),
        name,
        ...counts,
        usedAt,
        isUnsure: false,
        parkedAt: undefined,
      })
      this.#lanes.set(name, lane)
    }
    return lane
  }

  #serve(): void {
    if (this.#closing) return
    const { service } = this.#options
    for (let lane = this.#share.next(); lane !== undefined; lane = this.#share.next()) {
      const admission = service.admits(lane)
      if (admission === 'yes') void this.#take(lane)
      else this.#share.leave(lane)
      if (admission === 'no-room') this.#park(lane)
      else if (admission === 'look-up') void this.#lookUp(lane)
    }
  }

  async #lookUp(lane: L): Promise<void> {
    const { service, log } = this.#options
    try {
      await service.lookUp(lane)
    } catch (error) {
      log.warn('a function could not be looked up', { lane: lane.name, error })
      return
    }
    if (this.#rejoin(lane)) this.#serve()
  }

  /** Whose turn it is must have been asked, and whether there is room. */
  async #take(lane: L, slot = new Slot(lane, this)): Promise<void> {
    this.#give(slot, lane)
    lane.taking += 1
    if (lane.taking >= takesOf(lane)) this.#share.leave(lane)
    const claim = await this.#claim(lane)
    lane.taking -= 1
    if (claim === undefined) return this.#foundNothing(slot, lane)
    lane.streak += 1
    // Of most lanes it was the only one, and another take would be for nothing, at the price of this one. If it was not,
    // its end tells, or another bell does, and in the end the streak.
    lane.isUnsure = lane.streak < SURE_STREAK && lane.bells === slot.bells
    if (!lane.isUnsure && this.#rejoin(lane)) this.#serve()
    this.#held.add(slot)
    await this.#run(claim, slot, lane)
    this.#held.delete(slot)
    this.#impatient.delete(slot)
    this.#freed()
  }

  async #claim(lane: L): Promise<Claim | undefined> {
    const { lanes, log } = this.#options
    try {
      const claim = await lanes.take(lane.name)
      if (!this.#closing) return claim
      await claim?.release(0)
    } catch (error) {
      log.warn('a lane could not be read', { lane: lane.name, error })
    }
    return undefined
  }

  #give(slot: Slot, lane: L): void {
    lane.usedAt = this.#options.clock.monotonic()
    slot.since = lane.usedAt
    slot.bells = lane.bells
    slot.paid = this.#share.take(lane)
    slot.isPending = true
  }

  #foundNothing(slot: Slot, lane: L): void {
    slot.isPending = false
    lane.streak = 0
    lane.isUnsure = false
    this.#share.undo(lane, slot.paid)
    this.#impatient.delete(slot)
    if (lane.bells === slot.bells) this.#share.leave(lane)
    else this.#rejoin(lane)
    this.#freed()
  }

  async #run(first: Claim, slot: Slot, lane: L): Promise<void> {
    const { service } = this.#options
    for (let claim: Claim | undefined = first; claim !== undefined;) {
      slot.begin()
      claim = await service.run(claim, lane, slot)
      if (slot.state !== 'carried') continue
      if (claim === undefined) return this.#foundNothing(slot, lane)
      lane.streak += 1
    }
    this.#giveBack(slot)
  }

  /** In line, unless there is a reason why not. */
  #rejoin(lane: L): boolean {
    if (this.#closing || lane.parkedAt !== undefined || lane.taking >= takesOf(lane)) return false
    lane.isUnsure = false
    this.#share.join(lane)
    return true
  }

  #giveBack(slot: Slot): void {
    slot.isPending = false
    if (slot.state === 'back') return
    slot.state = 'back'
    const lane = slot.lane as L
    lane.usedAt = this.#options.clock.monotonic()
    this.#share.giveBack(lane, slot.paid, lane.usedAt - slot.since)
    // What it ran leaves room for one more.
    this.#unpark(lane)
  }

  /** @returns false: its slot went to others */
  #freed(): false {
    if (this.#share.inHand === 0) this.#emptied?.resolve()
    this.#serve()
    return false
  }

  #park(lane: L): void {
    lane.parkedAt = this.#options.clock.monotonic()
    this.#parked.add(lane)
  }

  #unpark(lane: L): void {
    if (!this.#parked.delete(lane)) return
    lane.parkedAt = undefined
    this.#rejoin(lane)
  }

  #gather(): void {
    if (this.#gathering !== undefined || this.#closing) return
    if (this.#unseen + this.#share.waiting === 0) return
    this.#gathering = this.#options.clock.after(GATHER_MS, () => {
      this.#gathering = undefined
      this.#lookAtParked()
      this.#serve()
    })
  }

  /** Some of them: of a thousand lanes without room, a look at each whenever room changes would be all that we do. */
  #lookAtParked(): void {
    const { service } = this.#options
    for (const lane of this.#parked.values().take(Math.min(this.#unseen, LOOK_AT))) {
      this.#unseen -= 1
      if (service.admits(lane) !== 'no-room') this.#unpark(lane)
      else {
        this.#parked.delete(lane)
        this.#parked.add(lane)
      }
    }
    this.#unseen = Math.min(this.#unseen, this.#parked.size)
    if (this.#unseen > 0) this.#gather()
  }

  /**
   * A lane that runs nothing and finds no room for long gets a slot to wait in the pool's own line, where memory is
   * taken from those who have most of it. A few at a time: what waits there holds a slot that others could use.
   */
  #serveImpatient(): void {
    const { clock, slots } = this.#options
    const before = clock.monotonic() - PATIENCE_MS
    for (const lane of this.#parked) {
      if (this.#impatient.size >= Math.ceil(slots / SLOTS_PER_IMPATIENT) || this.#share.inHand >= slots) return
      if (lane.inHand > 0 || lane.parkedAt === undefined || lane.parkedAt > before) continue
      this.#parked.delete(lane)
      lane.parkedAt = undefined
      const slot = new Slot(lane, this)
      this.#impatient.add(slot)
      void this.#take(lane, slot)
    }
  }

  /** What is not too old goes back to its place. */
  #lookForExpired(): void {
    const { service, slots } = this.#options
    for (const lane of this.#lanes.values()) {
      if (this.#share.inHand >= slots) return
      const waits = lane.parkedAt !== undefined || this.#share.has(lane)
      if (waits && lane.taking === 0 && service.expires(lane)) void this.#take(lane, new Slot(lane, this, true))
    }
  }

  #forgetUnused(): void {
    const before = this.#options.clock.monotonic() - FORGET_MS
    for (const [name, lane] of this.#lanes) {
      const idle = lane.inHand === 0 && lane.parkedAt === undefined && !this.#share.has(lane)
      if (idle && lane.usedAt < before) this.#lanes.delete(name)
    }
  }
}

/** How many at a time: more and more while they find work. */
function takesOf({ streak }: OpenLane): number {
  return Math.min(MOST_TAKES, Math.max(1, streak - SURE_STREAK))
}
