// Who owns sandboxes: the pools of all versions, the memory that they share, and their end. Where a call goes within a
// version is place.ts and version-pool.ts.
import type { Clock } from '#core/clock'
import { PlatformError } from '#core/errors'
import type { FunctionVersion } from '#core/function'
import type { FunctionName, VersionNumber } from '#core/ids'
import type { DriverName, SandboxCounts } from '#core/invoker'
import type { Log } from '#invoker/log'
import type { SandboxSpec } from '#invoker/sandbox/driver'
import { within } from '#invoker/within'

import { type Evictable, worth } from './evict.ts'
import type { House, Hungry } from './house.ts'
import { type KeepAlivePolicy } from './keep-alive.ts'
import type { Lease, Member } from './member.ts'
import type { Starter } from './starter.ts'
import { StemCells, type Stock } from './stem-cells.ts'
import { type Admission, VersionPool } from './version-pool.ts'

export interface PoolOptions {
  readonly clock: Clock
  readonly log: Log
  readonly starter: Starter
  readonly keepAlive: KeepAlivePolicy
  /** For all sandboxes together, by the memoryMiB of their specs. */
  readonly memoryMiB: number
  /** Per function version. */
  readonly maxWaiting: number
  readonly maxWaitMs: number
  /** Generic sandboxes to keep. */
  readonly stocks: readonly Stock[]
}

/** How long calls may wait for memory before a busy version has to give up a sandbox. */
const PATIENCE_MS = 1000
/** How long the disposal of all sandboxes may take at the end. */
const DISPOSE_MS = 10_000

interface FunctionPools {
  /** Undefined while nobody has said which one is. */
  live: VersionNumber | 'none' | undefined
  versions: readonly VersionPool[]
}

export class SandboxPool implements House {
  readonly clock: Clock
  readonly log: Log
  readonly starter: Starter
  readonly keepAlive: KeepAlivePolicy
  readonly limits: { readonly maxWaiting: number; readonly maxWaitMs: number }
  readonly #functions = new Map<FunctionName, FunctionPools>()
  readonly hungry = new Set<Hungry>()
  readonly #roomListeners = new Set<() => void>()
  readonly #stemCells: StemCells
  #freeMiB: number
  #evictionClock = 0
  #expiryAt = Infinity
  #expiryTimer: Disposable | undefined
  #hungerTimer: Disposable | undefined
  #closing: PromiseWithResolvers<void> | undefined

  constructor({ clock, log, starter, keepAlive, memoryMiB, maxWaiting, maxWaitMs, stocks }: PoolOptions) {
    this.clock = clock
    this.log = log
    this.starter = starter
    this.keepAlive = keepAlive
    this.limits = { maxWaiting, maxWaitMs }
    this.#freeMiB = memoryMiB
    this.#stemCells = new StemCells({ clock, log, starter, stocks, memory: this })
  }

  get freeMiB(): number {
    return this.#freeMiB
  }

  get evictionClock(): number {
    return this.#evictionClock
  }

  /** A slot of a warm sandbox; undefined when there is none: then `wait`. @throws PlatformError `shutting-down` */
  take(version: FunctionVersion): Lease | undefined {
    return this.#poolOf(version).take()
  }

  /** Waits for a slot. @throws PlatformError as `Invoker.invoke`; the signal's reason when it aborts */
  async wait(version: FunctionVersion, signal: AbortSignal): Promise<Admission> {
    for (;;) {
      const admission = await this.#poolOf(version).wait(signal)
      if (admission.kind !== 'lease' || !admission.lease.stale) return admission
      // It ended in the moment between; nothing has run, so the call goes back into the line.
      admission.lease[Symbol.dispose]()
    }
  }

  /** How many more calls of this version would start at once, or with a start that is worth it. */
  room(version: FunctionVersion): number {
    return this.#closing === undefined ? this.#poolOf(version).room() : 0
  }

  /** Calls `listener` whenever there may be more room. It is called often, and must be quick. */
  onRoom(listener: () => void): Disposable {
    this.#roomListeners.add(listener)
    return { [Symbol.dispose]: () => void this.#roomListeners.delete(listener) }
  }

  /** Starts what minSandboxes asks for, ahead of any call. */
  prepare(version: FunctionVersion): void {
    this.#poolOf(version).pump()
  }

  /** As `Invoker.retire`. */
  retire(name: FunctionName, live: VersionNumber | undefined): void {
    const pools = this.#functions.get(name)
    if (pools === undefined) return
    pools.live = live ?? 'none'
    for (const pool of pools.versions) pool.retire(pool.version.number !== live)
  }

  counts(name: FunctionName): { readonly sandboxes: SandboxCounts; readonly waiting: number } {
    const pools = this.#functions.get(name)?.versions ?? []
    return { sandboxes: sum(pools), waiting: pools.reduce((waiting, pool) => waiting + pool.waiting, 0) }
  }

  countsByDriver(): readonly { readonly driver: DriverName; readonly counts: SandboxCounts }[] {
    const byDriver = Map.groupBy(this.#pools(), (pool) => this.starter.driverFor(pool.version.spec.runtime).name)
    return [...byDriver].map(([driver, pools]) => ({ driver, counts: sum(pools) }))
  }

  /**
   * Refuses new calls, lets those that run or wait come to their end for up to `drainMs`, and ends all sandboxes.
   * Calls that then still run get `exited`, and those that wait `shutting-down`.
   */
  async drain(drainMs: number): Promise<void> {
    this.#closing = Promise.withResolvers()
    this.slotFreed()
    await within(this.#closing.promise, drainMs, this.clock)
    this.#expiryTimer?.[Symbol.dispose]()
    this.#hungerTimer?.[Symbol.dispose]()
    const closed = [...this.#pools()].map((pool) => pool.close(shuttingDown()))
    await within(Promise.all([...closed, this.#stemCells.close()]), DISPOSE_MS, this.clock)
  }

  charge(memoryMiB: number): void {
    this.#freeMiB -= memoryMiB
  }

  generic(spec: SandboxSpec): readonly Member[] {
    return this.#stemCells.fit(spec)
  }

  adopt(cell: Member): void {
    this.#stemCells.take(cell)
  }

  /** Generic ones first: they have served nobody yet. */
  evictable(): readonly Evictable<Member>[] {
    const cells = [...this.#stemCells.ready()].map((cell) => ({ ...cell, clock: 0, frequency: 0, costMs: 0 }))
    return [...cells, ...[...this.#pools()].flatMap((pool) => pool.evictable())]
  }

  async evict(members: readonly Member[]): Promise<void> {
    if (members.length === 0) return
    for (const candidate of this.evictable()) {
      if (members.includes(candidate.sandbox)) this.#evictionClock = Math.max(this.#evictionClock, worth(candidate))
    }
    await Promise.all(members.map((member) => member.owner.dismiss(member)))
  }

  expiryAt(time: number): void {
    if (time >= this.#expiryAt || this.#closing !== undefined) return
    this.#expiryAt = time
    this.#expiryTimer?.[Symbol.dispose]()
    this.#expiryTimer = this.clock.after(Math.max(0, time - this.clock.monotonic()), () => this.#expire())
  }

  slotFreed(): void {
    if (this.hungry.size > 0) this.#feed()
    if (this.#closing !== undefined && [...this.#pools()].every(({ quiet }) => quiet)) this.#closing.resolve()
    for (const listener of this.#roomListeners) listener()
  }

  #poolOf(version: FunctionVersion): VersionPool {
    if (this.#closing !== undefined) throw shuttingDown()
    let pools = this.#functions.get(version.function)
    if (pools === undefined) this.#functions.set(version.function, (pools = { live: undefined, versions: [] }))
    // By digest as well: a function that was removed and made anew counts its versions from 1 again.
    const known = pools.versions.find(
      ({ version: { number, digest } }) => number === version.number && digest === version.digest,
    )
    if (known !== undefined) return known
    const pool = new VersionPool(version, this)
    pools.versions = [...pools.versions, pool]
    if (pools.live !== undefined) pool.retire(pools.live !== version.number)
    return pool
  }

  *#pools(): Iterable<VersionPool> {
    for (const { versions } of this.#functions.values()) yield* versions
  }

  #expire(): void {
    this.#expiryAt = Infinity
    const now = this.clock.monotonic()
    for (const [name, pools] of this.#functions) {
      for (const pool of pools.versions) this.expiryAt(pool.expire(now))
      const { live } = pools
      if (live === undefined) continue
      pools.versions = pools.versions.filter((pool) => !pool.empty || pool.version.number === live)
      if (live === 'none' && pools.versions.length === 0) this.#functions.delete(name)
    }
  }

  /** Oldest first: memory may have become free. Who has waited too long is given some of what others hold. */
  #feed(): void {
    const inOrder = [...this.hungry].toSorted((a, b) => a.hungrySince - b.hungrySince)
    for (const pool of inOrder) pool.pump()
    const [first] = [...this.hungry].toSorted((a, b) => a.hungrySince - b.hungrySince)
    if (first === undefined || this.#hungerTimer !== undefined) return
    const patience = first.hungrySince + PATIENCE_MS - this.clock.monotonic()
    if (patience <= 0) this.#richest(first)?.concede()
    this.#hungerTimer = this.clock.after(Math.max(patience, PATIENCE_MS / 10), () => {
      this.#hungerTimer = undefined
      this.#feed()
    })
  }

  /** Whose sandboxes use the most memory, and more than the hungry one's. */
  #richest(hungry: Hungry): VersionPool | undefined {
    let richest: VersionPool | undefined
    for (const pool of this.#pools()) {
      if (pool.usedMiB > Math.max(hungry.usedMiB, richest?.usedMiB ?? 0)) richest = pool
    }
    return richest
  }
}

function sum(pools: readonly VersionPool[]): SandboxCounts {
  const total = { starting: 0, idle: 0, busy: 0, draining: 0 }
  for (const pool of pools) {
    const counts = pool.counts()
    for (const kind of ['starting', 'idle', 'busy', 'draining'] as const) total[kind] += counts[kind]
  }
  return total
}

function shuttingDown(): PlatformError {
  return new PlatformError('shutting-down', { detail: 'this invoker takes no more calls', retryAfterS: 1 })
}
