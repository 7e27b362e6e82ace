// The instances of one worker: as many as there are calls that wait at the same time, each for one call at a time.
import { type Clock, systemClock } from '#core/clock'
import type { InstancePolicy } from '#core/function'

import { MAX_INSTANCES } from '../control.ts'
import type { Guest, GuestInstance } from './guest.ts'

/** Instances kept ready while nothing runs. */
const READY = 1
/** After so many calls an instance is thrown away, whatever its policy: a bound for what leaks in glue and engine. */
const MAX_CALLS = 10_000
/** Calls that came together run one after the other for so long, ms, before the event loop gets its turn. */
const MAX_TURN_MS = 1
/** What they answered leaves the worker after so long, ms: whoever sends the next calls works meanwhile. */
const MAX_HELD_MS = 0.15
/** Instances that nobody needed for so long are thrown away. */
const TRIM_MS = 10_000

/** Runs a call; undefined when it is over on return. */
type Use = (instance: GuestInstance) => Promise<void> | undefined

export interface InstancesOptions {
  readonly guest: Guest
  readonly policy: InstancePolicy
  /** Sends what the calls have answered. */
  readonly flush: () => void
  readonly clock?: Clock
}

interface Live {
  readonly instance: GuestInstance
  calls: number
}

interface Queued {
  readonly use: Use
  readonly failed: (reason: unknown) => void
}

export class Instances implements Disposable {
  readonly #guest: Guest
  readonly #policy: InstancePolicy
  readonly #flush: () => void
  /** The last used last: it is the one whose memory is in the caches. */
  readonly #idle: Live[] = []
  readonly #queue: Queued[] = []
  readonly #trims: Disposable
  #busy = 0
  /** Whether the queue is being worked off, in this turn of the event loop or in the next. */
  #working = false
  /** The fewest that were idle since the last trim: nobody needed these. */
  #leastIdle = 0

  constructor({ guest, policy, flush, clock = systemClock }: InstancesOptions) {
    this.#guest = guest
    this.#policy = policy
    this.#flush = flush
    this.#trims = clock.every(TRIM_MS, () => this.#trim())
  }

  /** Makes the first. @throws what the guest throws */
  async start(): Promise<void> {
    this.#idle.push(await this.#make())
  }

  /**
   * Runs `use` with an instance that is nobody else's meanwhile. Of calls that come together the second starts when
   * the first has ended or waits for something: a call that only computes leaves its instance, warm in the caches of
   * the processor, to the next.
   * @param failed told what `use` throws, or the guest while an instance is made
   */
  run(use: Use, failed: (reason: unknown) => void): void {
    this.#queue.push({ use, failed })
    if (this.#working) return
    this.#working = true
    this.#work()
  }

  /** Of those that nobody uses. */
  [Symbol.dispose](): void {
    this.#trims[Symbol.dispose]()
    for (const live of this.#idle.splice(0)) live.instance.abandon()
  }

  #work(): void {
    const start = performance.now()
    let sent = start
    for (let next = this.#queue.shift(); next !== undefined; next = this.#queue.shift()) {
      const waits = this.#serve(next)
      if (waits !== undefined) return this.#goOnWhenItWaits(waits)
      const now = performance.now()
      if (now - start > MAX_TURN_MS) return void setImmediate(() => this.#work())
      if (now - sent < MAX_HELD_MS) continue
      sent = now
      this.#flush()
    }
    this.#working = false
  }

  /** A call that has not ended after this turn of the event loop waits for something: the next one starts. */
  #goOnWhenItWaits(call: Promise<void>): void {
    let gone = false
    const goOn = (): void => {
      if (gone) return
      gone = true
      clearImmediate(turn)
      this.#work()
    }
    const turn = setImmediate(goOn)
    void call.then(goOn)
  }

  /** @returns undefined when the call is over; never rejects */
  #serve({ use, failed }: Queued): Promise<void> | undefined {
    if (this.#busy >= MAX_INSTANCES) {
      failed(new Error(`at most ${MAX_INSTANCES} calls at the same time in one sandbox`))
      return undefined
    }
    this.#busy++
    const live = this.#idle.pop()
    this.#leastIdle = Math.min(this.#leastIdle, this.#idle.length)
    if (live === undefined) return this.#serveNew(use, failed)
    try {
      const running = use(live.instance)
      if (running !== undefined) return running.catch(failed).finally(() => this.#giveBack(live))
    } catch (thrown) {
      failed(thrown)
    }
    this.#giveBack(live)
    return undefined
  }

  async #serveNew(use: Use, failed: (reason: unknown) => void): Promise<void> {
    let live: Live | undefined
    try {
      live = await this.#make()
      await use(live.instance)
    } catch (thrown) {
      failed(thrown)
    }
    this.#giveBack(live)
  }

  #giveBack(live: Live | undefined): void {
    this.#busy--
    // Whoever waits for the answer need not wait for the restoring.
    if (this.#queue.length === 0) this.#flush()
    if (live !== undefined) {
      live.calls++
      const fit = this.#policy !== 'fresh' && live.calls < MAX_CALLS && live.instance.recycle()
      if (fit) this.#idle.push(live)
      else live.instance.abandon()
    }
    if (this.#idle.length < READY && this.#busy === 0) setImmediate(() => void this.#makeAhead())
  }

  async #makeAhead(): Promise<void> {
    if (this.#idle.length >= READY || this.#busy > 0) return
    try {
      this.#idle.push(await this.#make())
    } catch {
      // The next call finds out, and can be told.
    }
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
