// The lanes: durable BullMQ queues, two per function, served by whoever has room. START HERE for async dispatch.
//
// lanes/add.ts puts jobs in and rings, lanes/move.ts takes and ends them, lanes/lane.ts is one lane, lanes/doorbell.ts
// says that a lane has work, lanes/leases.ts keeps what this process holds, lanes/sweep.ts finds what went wrong,
// lanes/drop.ts empties a lane for good. All lanes of a process share one connection; listening takes another one.
import { randomUUID } from 'node:crypto'

import { RedisConnection } from 'bullmq'
import type { Redis } from 'ioredis'

import { type Clock, sleep, systemClock } from '#core/clock'
import { asPlatformError, type PlatformError } from '#core/errors'
import { deliveryLaneOf, type FunctionName, type InvocationId, type LaneName } from '#core/ids'
import type { Claim, LaneLimits, Lanes, LaneState, QueuedInvocation } from '#core/queue'

import { disconnect, guard } from './connect.ts'
import type { Keys } from './keys.ts'
import { Adder } from './lanes/add.ts'
import { LaneClaim } from './lanes/claim.ts'
import { Doorbell } from './lanes/doorbell.ts'
import { type DropContext, dropLane } from './lanes/drop.ts'
import { Lane, type LaneContext, type LaneCounts, type Taken } from './lanes/lane.ts'
import { Leases } from './lanes/leases.ts'
import { Mover, type RecordSaving } from './lanes/move.ts'
import { sweep, sweepAll, type SweepContext } from './lanes/sweep.ts'
import type { StoreSettings } from './settings.ts'
import type { Subscriptions } from './subscriptions.ts'

/** A lane that was not used for so long is forgotten in memory; in Redis it stays. */
const FORGET_MS = 600_000
/** Pause before another try to open the connection for bells. */
const RECONNECT_MS = 250
/** Limits are written again after so long although they are the same: another process may have removed the lane. */
const LIMIT_AGAIN_MS = 60_000
const UNLIMITED: LaneLimits = { concurrency: 0, ratePerS: 0 }
/** Lanes asked together. */
const BATCH = 100

interface OpenLane {
  readonly lane: Lane
  limits: LaneLimits
  /** Monotonic ms when the limits were last written; undefined: not by this process. */
  limitedAt: number | undefined
  usedAt: number
}

interface LanesContext {
  readonly keys: Keys
  readonly settings: Pick<StoreSettings, 'leaseMs' | 'sweepMs'>
  readonly subscriptions: Subscriptions
  readonly records: RecordSaving
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
  readonly #adder: Adder
  readonly #cancellations: Disposable
  readonly #open = new Map<LaneName, OpenLane>()
  readonly #listeners = new Set<AsyncDisposable>()
  readonly #processId = randomUUID().slice(0, 13)
  #tokens = 0

  constructor(redis: Redis, context: LanesContext) {
    const { keys, settings, subscriptions, clock = systemClock } = context
    this.#redis = redis
    this.#context = context
    this.#clock = clock
    // Shared: closing it leaves the connection to its owner. Nothing is used that depends on the version.
    const connection = new RedisConnection(redis, { shared: true, blocking: false, skipVersionCheck: true })
    // It repeats the errors of the connection, and without a listener the repetition would end the process.
    connection.on('error', () => {})
    const own = { redis, leaseMs: settings.leaseMs, processName: this.#processId, now: () => clock.now() }
    this.#laneContext = { ...own, connection, keys, mover: new Mover({ ...own, records: context.records }) }
    const waiting = (name: LaneName): Promise<number> => this.#opened(name).lane.waiting()
    this.#doorbell = new Doorbell({ redis, keys, clock, sweepMs: settings.sweepMs, waiting })
    this.#leases = new Leases(settings.leaseMs, clock)
    this.#adder = new Adder({ redis, keys, sweepMs: settings.sweepMs, now: () => clock.now() })
    this.#cancellations = subscriptions.subscribe(keys.cancelled, {
      message: (message) => this.#leases.cancel(message),
      gap: () => void this.#leases.checkCancelled(),
    })
  }

  /** Adds of one turn of the event loop go out together. */
  async add(invocation: QueuedInvocation): Promise<void> {
    await this.#adder.add(this.#opened(laneOf(invocation)).lane, invocation)
  }

  async addMany(invocations: readonly QueuedInvocation[]): Promise<readonly (PlatformError | undefined)[]> {
    const added = invocations.map((invocation) => this.add(invocation))
    const results = await Promise.allSettled(added)
    return results.map((result) => (result.status === 'fulfilled' ? undefined : asPlatformError(result.reason)))
  }

  async take(name: LaneName): Promise<Claim | undefined> {
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
      if (taken.againAt !== undefined) this.#doorbell.ringAt(name, taken.againAt)
      return undefined
    }
    const { invocation, token, isCancelled, left } = taken.job
    this.#doorbell.taken(name, bells, left)
    const lease = this.#leases.hold(lane, { id: invocation.id, token, isCancelled }, takenAt)
    return new LaneClaim(taken.job, {
      lane,
      lease,
      doorbell: this.#doorbell,
      clock: this.#clock,
      onFree: () => void this.#ringIfLimited(name),
      mayHaveNext: () => !this.#doorbell.isQuiet(name) || this.#isLimited(name),
      claim: (next) => this.#claim(lane, next),
    })
  }

  async limit(name: LaneName, limits: LaneLimits): Promise<void> {
    const open = this.#opened(name)
    const { concurrency, ratePerS } = open.limits
    const isSame = concurrency === limits.concurrency && ratePerS === limits.ratePerS
    const now = this.#clock.monotonic()
    const lastsMs = concurrency === 0 && ratePerS === 0 ? Number.POSITIVE_INFINITY : LIMIT_AGAIN_MS
    if (isSame && open.limitedAt !== undefined && now - open.limitedAt < lastsMs) return
    await open.lane.limit(limits)
    open.limits = limits
    open.limitedAt = now
    // What the old ones held back may be taken now.
    if (!isSame) this.#doorbell.ring(name)
  }

  async cancel(
    name: LaneName,
    id: InvocationId,
    onRemove: (takeovers: number) => Promise<void> = async () => {},
  ): Promise<'removed' | 'told' | 'absent'> {
    const { lane } = this.#opened(name)
    const found = await lane.markCancelled(id)
    if (typeof found === 'string') return found
    await onRemove(found.takeovers)
    return lane.removeCancelled(id)
  }

  has(name: LaneName, id: InvocationId): Promise<boolean> {
    return this.#lane(name).has(id)
  }

  /**
   * Bells come again while a lane has work that nobody takes, so a listener without room may ignore them. Disposing
   * stops listening; claims stay held.
   */
  listen(onBell: (name: LaneName) => void): AsyncDisposable {
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

  async state(name: LaneName): Promise<LaneState> {
    return toState(await this.#opened(name).lane.counts())
  }

  async states(): Promise<ReadonlyMap<LaneName, LaneState>> {
    const names = (await guard(this.#redis.zrange(this.#context.keys.due, '0', '-1'))) as LaneName[]
    const states = new Map<LaneName, LaneState>()
    for (let at = 0; at < names.length; at += BATCH) {
      const batch = names.slice(at, at + BATCH)
      const counts = await Promise.all(batch.map((name) => this.#lane(name).counts()))
      for (const [index, name] of batch.entries()) {
        const state = toState(counts[index]!)
        if (state.waiting + state.delayed + state.running > 0) states.set(name, state)
      }
    }
    return states
  }

  /**
   * Takes what is held in these lanes from whoever holds it, without waiting for the leases to run out. Only for a
   * process that has the store to itself, before it listens: then the holders are dead.
   */
  async takeOverAll(names: readonly FunctionName[]): Promise<void> {
    const lanes = names.flatMap((owner) => [owner, deliveryLaneOf(owner)])
    for (let at = 0; at < lanes.length; at += BATCH) {
      const batch = lanes.slice(at, at + BATCH)
      const counts = await Promise.all(batch.map((name) => this.#lane(name).takeOverAll()))
      for (const [index, name] of batch.entries()) if (counts[index]! > 0) this.#doorbell.ring(name)
    }
  }

  async remove(name: FunctionName, onDrop: DropContext['onDrop'] = async () => {}): Promise<void> {
    const { keys } = this.#context
    for (const lane of [name, deliveryLaneOf(name)]) {
      await dropLane(this.#lane(lane), { redis: this.#redis, cancelled: keys.cancelled, onDrop })
      this.#open.delete(lane)
      this.#doorbell.forget(lane)
      await guard(Promise.all([this.#redis.zrem(keys.due, lane), this.#redis.zrem(keys.bells, lane)]))
    }
  }

  /** Stops listening. What is still claimed is taken over when its lease is over. */
  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all([...this.#listeners].map((listener) => listener[Symbol.asyncDispose]()))
    this.#cancellations[Symbol.dispose]()
    this.#leases[Symbol.dispose]()
    this.#doorbell[Symbol.dispose]()
    this.#open.clear()
  }

  /** One that waits may be taken now that another one is done. Without limits nothing waits for that. */
  async #ringIfLimited(name: LaneName): Promise<void> {
    if (!this.#isLimited(name)) return
    // Redis may be away: the sweep rings when it is back.
    const waiting = await this.#lane(name)
      .waiting()
      .catch(() => 0)
    if (waiting > 0) this.#doorbell.ring(name)
  }

  #isLimited(name: LaneName): boolean {
    const limits = this.#open.get(name)?.limits
    return limits !== undefined && limits.concurrency > 0
  }

  /** For a look, which makes no lane one that is in use. */
  #lane(name: LaneName): Lane {
    return this.#open.get(name)?.lane ?? new Lane(name, this.#laneContext)
  }

  #opened(name: LaneName): OpenLane {
    const now = this.#clock.monotonic()
    let open = this.#open.get(name)
    if (open === undefined) {
      const lane = new Lane(name, this.#laneContext)
      open = { lane, limits: UNLIMITED, limitedAt: undefined, usedAt: now }
      this.#open.set(name, open)
    }
    open.usedAt = now
    return open
  }

  async #listen(onBell: (name: LaneName) => void, signal: AbortSignal): Promise<void> {
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
      lane: (name) => this.#lane(name),
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

function laneOf({ function: name, delivery }: QueuedInvocation): LaneName {
  return delivery === undefined ? name : deliveryLaneOf(name)
}

function toState({ waiting, delayed, running, oldestAt }: LaneCounts): LaneState {
  return { waiting, delayed, running, ...(oldestAt === undefined ? {} : { oldestAt }) }
}
