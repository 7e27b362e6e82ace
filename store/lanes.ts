// The lanes: one durable BullMQ queue per function, served by whoever has room. START HERE for async dispatch.
//
// lanes/lane.ts moves the jobs of one lane, lanes/doorbell.ts says that a lane has work, lanes/leases.ts keeps what
// this process holds, lanes/sweep.ts finds what went wrong. All lanes of a process share one connection; listening
// takes another one.
import { randomUUID } from 'node:crypto'

import { RedisConnection } from 'bullmq'
import type { Redis } from 'ioredis'

import { type Clock, sleep, systemClock } from '#core/clock'
import type { FunctionName } from '#core/ids'
import type { Claim, Lanes, QueuedInvocation } from '#core/queue'

import { disconnect, guard } from './connect.ts'
import type { Keys } from './keys.ts'
import { LaneClaim } from './lanes/claim.ts'
import { Doorbell } from './lanes/doorbell.ts'
import { Lane, type LaneContext, type Taken } from './lanes/lane.ts'
import { Leases } from './lanes/leases.ts'
import { sweep, sweepAll, type SweepContext } from './lanes/sweep.ts'
import type { StoreSettings } from './settings.ts'

/** A lane that was not used for so long is forgotten in memory; in Redis it stays. */
const FORGET_MS = 600_000
/** Pause before another try to open the connection for bells. */
const RECONNECT_MS = 250

interface OpenLane {
  readonly lane: Lane
  prepared: Promise<void> | undefined
  usedAt: number
}

interface LanesContext {
  readonly keys: Keys
  readonly settings: Pick<StoreSettings, 'leaseMs' | 'sweepMs'>
  /** Opens the connection that waits for bells. */
  readonly openBlocking: () => Promise<Redis>
  readonly clock?: Clock
}

export class RedisLanes implements Lanes, AsyncDisposable {
  readonly #redis: Redis
  readonly #context: LanesContext
  readonly #clock: Clock
  readonly #laneContext: LaneContext
  readonly #doorbell: Doorbell
  readonly #leases: Leases
  readonly #open = new Map<FunctionName, OpenLane>()
  readonly #listeners = new Set<AsyncDisposable>()
  readonly #processId = randomUUID().slice(0, 13)
  #tokens = 0

  constructor(redis: Redis, context: LanesContext) {
    const { keys, settings, clock = systemClock } = context
    this.#redis = redis
    this.#context = context
    this.#clock = clock
    // Shared: closing it leaves the connection to its owner. Nothing is used that depends on the version.
    const connection = new RedisConnection(redis, { shared: true, blocking: false, skipVersionCheck: true })
    // It repeats the errors of the connection, and without a listener the repetition would end the process.
    connection.on('error', () => {})
    this.#laneContext = {
      redis,
      connection,
      keys,
      leaseMs: settings.leaseMs,
      processName: this.#processId,
    }
    const waiting = (name: FunctionName): Promise<number> => this.#opened(name).lane.waiting()
    this.#doorbell = new Doorbell({ redis, keys, clock, sweepMs: settings.sweepMs, waiting })
    this.#leases = new Leases(settings.leaseMs, clock)
  }

  async add(invocation: QueuedInvocation): Promise<void> {
    const name = invocation.function
    const open = this.#opened(name)
    open.prepared ??= this.#prepare(open.lane)
    try {
      await open.prepared
    } catch (error) {
      open.prepared = undefined
      throw error
    }
    await open.lane.add(invocation, this.#clock.now())
    this.#doorbell.ring(name)
  }

  async take(name: FunctionName): Promise<Claim | undefined> {
    if (this.#doorbell.isQuiet(name)) return undefined
    const { lane } = this.#opened(name)
    return this.#claim(lane, () => lane.take(`${this.#processId}:${++this.#tokens}`))
  }

  async #claim(lane: Lane, move: () => Promise<Taken | undefined>): Promise<Claim | undefined> {
    const { name } = lane
    const bells = this.#doorbell.bellsOf(name)
    const takenAt = this.#clock.monotonic()
    const taken = await move()
    if (taken === undefined) return undefined
    if (taken.job === undefined) {
      this.#doorbell.nothing(name, bells)
      if (taken.nextDelayedAt !== undefined) this.#doorbell.ringAt(name, taken.nextDelayedAt)
      return undefined
    }
    this.#doorbell.taken(name)
    const lease = this.#leases.hold(lane, { id: taken.job.invocation.id, token: taken.job.token }, takenAt)
    return new LaneClaim(taken.job, {
      lane,
      lease,
      doorbell: this.#doorbell,
      clock: this.#clock,
      claim: (next) => this.#claim(lane, next),
    })
  }

  /**
   * Bells come again while a lane has work that nobody takes, so a listener without room may ignore them. Disposing
   * stops listening; claims stay held.
   */
  listen(onBell: (name: FunctionName) => void): AsyncDisposable {
    const stop = new AbortController()
    const done = this.#listen(onBell, stop.signal)
    const listener: AsyncDisposable = {
      [Symbol.asyncDispose]: async () => {
        stop.abort()
        this.#listeners.delete(listener)
        await done
      },
    }
    this.#listeners.add(listener)
    return listener
  }

  async depth(name: FunctionName): Promise<number> {
    const { waiting, delayed, active } = await this.#opened(name).lane.state()
    return waiting + delayed + active
  }

  /**
   * Takes what is held in these lanes from whoever holds it, without waiting for the leases to run out. Only for a
   * process that has the store to itself, before it listens: then the holders are dead.
   */
  async takeOverAll(names: readonly FunctionName[]): Promise<void> {
    for (const name of names) {
      if ((await this.#opened(name).lane.takeOverAll()) > 0) this.#doorbell.ring(name)
    }
  }

  async remove(name: FunctionName): Promise<void> {
    const { keys } = this.#context
    await this.#opened(name).lane.obliterate()
    this.#open.delete(name)
    this.#doorbell.forget(name)
    await guard(Promise.all([this.#redis.zrem(keys.due, name), this.#redis.zrem(keys.bells, name)]))
  }

  /** Stops listening. What is still claimed is taken over when its lease is over. */
  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all([...this.#listeners].map((listener) => listener[Symbol.asyncDispose]()))
    this.#leases[Symbol.dispose]()
    this.#doorbell[Symbol.dispose]()
    this.#open.clear()
  }

  /** The sweep must know the lane before it has its first job, or a crash right after the add could hide it. */
  async #prepare(lane: Lane): Promise<void> {
    const due = this.#clock.now() + this.#context.settings.sweepMs
    await lane.prepare()
    await guard(this.#redis.zadd(this.#context.keys.due, 'NX', due, lane.name))
  }

  #opened(name: FunctionName): OpenLane {
    const now = this.#clock.monotonic()
    let open = this.#open.get(name)
    if (open === undefined) {
      open = { lane: new Lane(name, this.#laneContext), prepared: undefined, usedAt: now }
      this.#open.set(name, open)
    }
    open.usedAt = now
    return open
  }

  async #listen(onBell: (name: FunctionName) => void, signal: AbortSignal): Promise<void> {
    const sweeping = this.#sweepUntil(signal)
    while (!signal.aborted) {
      try {
        const blocking = await this.#context.openBlocking()
        await this.#doorbell.listen(blocking, onBell, signal)
        await disconnect(blocking)
      } catch {
        await sleep(RECONNECT_MS, signal, this.#clock).catch(() => {})
      }
    }
    await sweeping
  }

  /** At first every lane, then those that are due. */
  async #sweepUntil(signal: AbortSignal): Promise<void> {
    const { keys, settings } = this.#context
    const context: SweepContext = {
      redis: this.#redis,
      keys,
      clock: this.#clock,
      sweepMs: settings.sweepMs,
      doorbell: this.#doorbell,
      lane: (name) => this.#open.get(name)?.lane ?? new Lane(name, this.#laneContext),
    }
    let isFirst = true
    while (!signal.aborted) {
      try {
        if (isFirst) await sweepAll(context)
        else await sweep(context)
        isFirst = false
      } catch {
        // Redis is away: the next round looks again.
      }
      this.#forgetUnused()
      await sleep(settings.sweepMs, signal, this.#clock).catch(() => {})
    }
  }

  #forgetUnused(): void {
    const now = this.#clock.monotonic()
    for (const [name, { lane, usedAt }] of this.#open) {
      if (now - usedAt < FORGET_MS || this.#leases.holds(lane)) continue
      this.#open.delete(name)
      this.#doorbell.forget(name)
    }
  }
}
