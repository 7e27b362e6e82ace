// Serves the lanes: takes queued invocations when there is room for them, fairly, and has them run. What one attempt
// is, is async-run.ts; how a lane keeps what waits in it, is store/.
import type { Clock } from '#core/clock'
import type { FunctionVersion } from '#core/function'
import type { FunctionStore } from '#core/function-store'
import type { FunctionName } from '#core/ids'
import type { Claim, Lanes } from '#core/queue'

import { AsyncRun, type AsyncRunOptions } from './async-run.ts'
import type { Dispatcher } from './dispatcher.ts'
import { within } from './within.ts'

export interface ConsumerOptions extends Omit<AsyncRunOptions, 'invoker'> {
  readonly lanes: Lanes
  readonly functions: FunctionStore
  readonly invoker: Pick<Dispatcher, 'invoke' | 'room' | 'onRoom'>
  readonly clock: Clock
  /**
   * Most invocations that run at the same time. A lane of which none runs may have one more all the same, up to twice
   * as many together: long calls of one function must not keep another from being served at all.
   */
  readonly maxRunning: number
  /** How long what runs may finish after disposal began; the rest goes back into its lane. */
  readonly drainMs: number
}

/** A lane that has or had work. */
interface OpenLane {
  readonly name: FunctionName
  /** What a call of it would most likely run; undefined: to be found out; `gone`: there is no such function. */
  live: FunctionVersion | 'gone' | 'finding' | undefined
  running: number
  /** Takes under way. */
  taking: number
  /** Runs that are being written down, each of which may take the next one along. */
  finishing: number
  /** Takes at a time: doubles while they find work. */
  stride: number
  /** Counts bells: one that comes during a take that finds nothing must not be lost. */
  bells: number
}

const MAX_STRIDE = 16
/** Several changes of room within it are looked at once. */
const GATHER_MS = 1
const RELEASE_MS = 2000

export class Consumer implements AsyncDisposable {
  readonly #options: ConsumerOptions
  readonly #lanes = new Map<FunctionName, OpenLane>()
  /** Lanes that may have work, next one first. */
  readonly #ring = new Set<OpenLane>()
  readonly #runs = new Set<Promise<void>>()
  readonly #stop = new AbortController()
  readonly #subscriptions = new DisposableStack()
  readonly #listener: AsyncDisposable
  #gathering: Disposable | undefined
  #taking = 0
  #closing = false

  /** Serves from now on. */
  constructor(options: ConsumerOptions) {
    this.#options = options
    this.#subscriptions.use(options.functions.onChange((name) => this.#forget(name)))
    this.#subscriptions.use(options.invoker.onRoom(() => this.#roomChanged()))
    this.#listener = options.lanes.listen((name) => this.#rung(name))
  }

  /** Takes no more, lets what runs finish for `drainMs`, and puts the rest back. */
  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#closing) return
    this.#closing = true
    this.#subscriptions[Symbol.dispose]()
    this.#gathering?.[Symbol.dispose]()
    const { clock, drainMs } = this.#options
    await this.#listener[Symbol.asyncDispose]()
    await within(this.#allRuns(), drainMs, clock)
    this.#stop.abort()
    await within(this.#allRuns(), RELEASE_MS, clock)
  }

  async #allRuns(): Promise<void> {
    while (this.#runs.size > 0) await Promise.all(this.#runs)
  }

  #rung(name: FunctionName): void {
    if (this.#closing) return
    let lane = this.#lanes.get(name)
    if (lane === undefined) {
      lane = { name, live: undefined, running: 0, taking: 0, finishing: 0, stride: 1, bells: 0 }
      this.#lanes.set(name, lane)
    }
    lane.bells += 1
    this.#ring.add(lane)
    this.#serve()
  }

  #roomChanged(): void {
    if (this.#ring.size === 0 || this.#gathering !== undefined) return
    this.#gathering = this.#options.clock.after(GATHER_MS, () => {
      this.#gathering = undefined
      this.#serve()
    })
  }

  /** Goes round the lanes, one take each at a time, until none may have another. */
  #serve(): void {
    for (let before = -1; before !== this.#taking && !this.#closing;) {
      before = this.#taking
      const round = [...this.#ring]
      for (const lane of round) {
        if (this.#mayTake(lane)) this.#track(this.#take(lane))
      }
    }
  }

  #mayTake(lane: OpenLane): boolean {
    if (lane.live === undefined) this.#track(this.#find(lane))
    if (lane.live === undefined || lane.live === 'finding') return false
    const inHand = this.#runs.size
    const { maxRunning, invoker } = this.#options
    const fair = inHand < maxRunning || (lane.running + lane.taking === 0 && inHand < 2 * maxRunning)
    if (!fair || lane.taking >= lane.stride) return false
    return lane.live === 'gone' || invoker.room(lane.live) > lane.taking + lane.finishing
  }

  /** Asked by one that is being finished: its place among what runs goes on to the next, unless others wait for it. */
  #mayTakeNext(lane: OpenLane): boolean {
    if (this.#closing || !this.#ring.has(lane) || typeof lane.live !== 'object') return false
    const { maxRunning, invoker } = this.#options
    const fair = this.#ring.size === 1 ? this.#runs.size <= maxRunning : this.#runs.size < maxRunning
    return fair && invoker.room(lane.live) >= lane.taking + lane.finishing
  }

  async #take(lane: OpenLane): Promise<void> {
    const { bells } = lane
    lane.taking += 1
    this.#taking += 1
    // Behind the others: they come first in the next round.
    this.#ring.delete(lane)
    this.#ring.add(lane)
    let claim: Claim | undefined
    try {
      claim = await this.#options.lanes.take(lane.name)
    } catch (error) {
      this.#options.log.warn('a lane could not be read', { function: lane.name, error })
    }
    lane.taking -= 1
    this.#taking -= 1
    if (claim !== undefined) {
      lane.stride = Math.min(MAX_STRIDE, lane.stride * 2)
      return this.#run(claim, lane)
    }
    lane.stride = 1
    if (lane.bells === bells) this.#leave(lane)
    else this.#serve()
  }

  async #run(first: Claim, lane: OpenLane): Promise<void> {
    lane.running += 1
    // Another take may be due, once the pool knows of this one.
    this.#roomChanged()
    for (let claim: Claim | undefined = first; claim !== undefined;) claim = await this.#runOne(claim, lane)
    lane.running -= 1
    this.#leaveIfIdle(lane)
  }

  /** Never rejects. Returns what it took along. */
  async #runOne(claim: Claim, lane: OpenLane): Promise<Claim | undefined> {
    const { functions } = this.#options
    let finishing = 0
    const ran = (): void => {
      finishing = 1
      lane.finishing += 1
    }
    const { function: name, version: number } = claim.invocation
    try {
      if (this.#closing) {
        await claim.release(0)
        return undefined
      }
      const known = typeof lane.live === 'object' && lane.live.number === number ? lane.live : undefined
      const version = known ?? (await functions.version(name, number))
      const handover = { ran, wantsNext: () => this.#mayTakeNext(lane) }
      return await new AsyncRun(claim, this.#options, handover).run(version, this.#stop.signal)
    } catch (error) {
      // Its lease ends, and it is taken over.
      this.#options.log.warn('an async invocation could not be run', { id: claim.invocation.id, error })
      return undefined
    } finally {
      lane.finishing -= finishing
    }
  }

  async #find(lane: OpenLane): Promise<void> {
    lane.live = 'finding'
    try {
      const record = await this.#options.functions.get(lane.name)
      const version = record && (await this.#options.functions.version(lane.name, record.live))
      lane.live = version ?? 'gone'
      this.#serve()
    } catch (error) {
      this.#options.log.warn('a function could not be read', { function: lane.name, error })
      lane.live = undefined
      this.#leave(lane)
    }
  }

  /** Until the next bell. */
  #leave(lane: OpenLane): void {
    this.#ring.delete(lane)
    this.#leaveIfIdle(lane)
  }

  #leaveIfIdle(lane: OpenLane): void {
    if (lane.running + lane.taking === 0 && !this.#ring.has(lane)) this.#lanes.delete(lane.name)
  }

  #forget(name: FunctionName | undefined): void {
    for (const lane of this.#lanes.values()) if (name === undefined || lane.name === name) lane.live = undefined
    this.#roomChanged()
  }

  #track(run: Promise<void>): void {
    const tracked = run.finally(() => {
      this.#runs.delete(tracked)
      this.#roomChanged()
    })
    this.#runs.add(tracked)
  }
}
