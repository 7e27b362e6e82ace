// The instances of one worker: as many as there are calls that wait at the same time, each for one call at a time.
import { type Clock, systemClock } from '#core/clock'
import type { InstancePolicy } from '#core/function'

import { MAX_INSTANCES } from '../control.ts'
import type { Guest, GuestInstance } from './guest.ts'

/** Instances kept ready while nothing runs. */
const READY = 1
/** After so many calls an instance is thrown away, whatever its policy: a bound for what leaks in glue and engine. */
const MAX_CALLS = 10_000
/** Calls that came together run one after the other for so long, ms, before what they answered is sent. */
const MAX_TURN_MS = 1
/** Instances that nobody needed for so long are thrown away. */
const TRIM_MS = 10_000

type Use = (instance: GuestInstance) => Promise<void>

interface Live {
  readonly instance: GuestInstance
  calls: number
}

interface Queued {
  readonly use: Use
  readonly done: () => void
  readonly failed: (reason: unknown) => void
}

export class Instances {
  readonly #guest: Guest
  readonly #policy: InstancePolicy
  /** The last used last: it is the one whose memory is in the caches. */
  readonly #idle: Live[] = []
  readonly #queue: Queued[] = []
  #busy = 0
  /** Whether a call has been started that may end before this turn of the event loop does. */
  #starting = false
  #turnStart = 0
  /** The fewest that were idle since the last trim: nobody needed these. */
  #leastIdle = 0

  constructor(guest: Guest, policy: InstancePolicy, clock: Clock = systemClock) {
    this.#guest = guest
    this.#policy = policy
    clock.every(TRIM_MS, () => this.#trim())
  }

  /** Makes the first. @throws what the guest throws */
  async start(): Promise<void> {
    this.#idle.push(await this.#make())
  }

  /**
   * Runs `use` with an instance that is nobody else's meanwhile. Of calls that come together the second starts when
   * the first has ended or waits for something: a call that only computes leaves its instance, warm in the caches of
   * the processor, to the next.
   * @throws what the guest throws while an instance is made
   */
  with(use: Use): Promise<void> {
    return new Promise((done, failed) => {
      this.#queue.push({ use, done, failed })
      if (!this.#starting) this.#startNext()
    })
  }

  #startNext(): void {
    const next = this.#queue.shift()
    this.#starting = next !== undefined
    if (next === undefined) return
    this.#turnStart ||= performance.now()
    let started = false
    const onStarted = (): void => {
      if (started) return
      started = true
      this.#startNext()
    }
    const waits = setImmediate(() => {
      this.#turnStart = 0
      onStarted()
    })
    this.#serve(next.use)
      .then(next.done, next.failed)
      .finally(() => {
        if (performance.now() - this.#turnStart > MAX_TURN_MS) return
        clearImmediate(waits)
        onStarted()
      })
      .catch(() => {})
  }

  async #serve(use: Use): Promise<void> {
    if (this.#busy >= MAX_INSTANCES) throw new Error(`at most ${MAX_INSTANCES} calls at the same time in one sandbox`)
    this.#busy++
    let live: Live | undefined
    try {
      live = this.#idle.pop()
      this.#leastIdle = Math.min(this.#leastIdle, this.#idle.length)
      live ??= await this.#make()
      await use(live.instance)
    } finally {
      this.#busy--
      if (live !== undefined) this.#giveBack(live)
    }
  }

  #giveBack(live: Live): void {
    live.calls++
    if (live.instance.settled) return this.#recycle(live)
    // What the host has already given to the glue, the glue writes into the memory within this turn.
    setImmediate(() => this.#recycle(live))
  }

  #recycle(live: Live): void {
    const fit = this.#policy !== 'fresh' && live.calls < MAX_CALLS && live.instance.recycle()
    if (fit) this.#idle.push(live)
    else live.instance.abandon()
    if (this.#idle.length < READY && this.#busy === 0) setImmediate(() => this.#makeAhead())
  }

  #makeAhead(): void {
    if (this.#idle.length >= READY || this.#busy > 0) return
    this.#make().then(
      (live) => this.#idle.push(live),
      // The next call finds out, and can be told.
      () => {},
    )
  }

  /** Gives back the memory of a burst that is over. */
  #trim(): void {
    for (const live of this.#idle.splice(0, Math.max(0, this.#leastIdle - READY))) live.instance.abandon()
    this.#leastIdle = this.#idle.length
  }

  async #make(): Promise<Live> {
    return { instance: await this.#guest.instantiate(), calls: 0 }
  }
}
