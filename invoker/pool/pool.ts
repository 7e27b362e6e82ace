// Who owns sandboxes: the pools of all functions, the memory that they share, and their end. Where a call goes within a
// version is place.ts and version-pool.ts.
import type { Clock } from '#core/clock'
import { PlatformError } from '#core/errors'
import type { FunctionSpec, FunctionVersion, RuntimeName } from '#core/function'
import type { FunctionName, VersionNumber } from '#core/ids'
import type { DriverName, DriverSandboxes } from '#core/invoker'
import { keepAliveMsOf } from '#core/spec'
import type { StopSignal } from '#core/stop-signal'
import type { Log } from '#invoker/log'
import type { SandboxSpec } from '#invoker/sandbox/driver'
import { Semaphore } from '#invoker/semaphore'
import { within } from '#invoker/within'

import { Agenda } from './agenda.ts'
import { AheadTurns } from './ahead-turns.ts'
import type { Ladder } from './descend.ts'
import { type Evictable, worth } from './evict.ts'
import { FunctionPools, type PoolActivity } from './function-pools.ts'
import type { House, Hungry } from './house.ts'
import { planOf } from './idle-plan.ts'
import type { Histories } from './keep-alive/histories.ts'
import type { KeepAlivePolicy } from './keep-alive/policy.ts'
import type { Admission, Lease, Member } from './member.ts'
import { countStates, type Rung } from './sandbox-state.ts'
import type { Starter } from './starter.ts'
import { memoryByState } from './state-memory.ts'
import { StemCells, type StemCellSettings } from './stem-cells.ts'
import type { VersionPool } from './version-pool.ts'
import { Wakes } from './wakes.ts'

export interface PoolOptions {
  readonly clock: Clock
  readonly log: Log
  readonly starter: Starter
  readonly histories: Histories
  /** Of functions whose keepAlive is `auto`. */
  readonly learned: KeepAlivePolicy
  /** For all sandboxes together, by the memoryMiB of their specs. */
  readonly memoryMiB: number
  /** Per function version. */
  readonly maxWaiting: number
  readonly maxWaitMs: number
  readonly stemCells: StemCellSettings
  readonly ladder: Ladder
  /** Of the machine. */
  readonly processors: number
}

/** How long calls may wait for memory before a busy version has to give up a sandbox. */
const PATIENCE_MS = 1000
/** Sandboxes that are created at the same time without a call that waits for them: half of what the starter takes. */
const AHEAD_STARTS = 2
/** Sandboxes that are being hibernated at the same time. */
const HIBERNATIONS = 1
/** How long the disposal of all sandboxes may take at the end. */
const DISPOSE_MS = 10_000

export class SandboxPool implements House {
  readonly clock: Clock
  readonly log: Log
  readonly starter: Starter
  readonly limits: { readonly maxWaiting: number; readonly maxWaitMs: number }
  readonly agenda: Agenda
  readonly histories: Histories
  readonly learned: KeepAlivePolicy
  readonly memoryMiB: number
  readonly ladder: Ladder
  readonly processors: number
  readonly ahead = new AheadTurns(AHEAD_STARTS)
  readonly hibernations = new Semaphore(HIBERNATIONS)
  readonly hungry = new Set<Hungry>()
  readonly #functions = new Map<FunctionName, FunctionPools>()
  readonly #roomListeners = new Set<() => void>()
  readonly #stemCells: StemCells
  readonly #wakes = new Map<DriverName, Wakes>()
  #freeMiB: number
  #starts = 0
  #evictionClock = 0
  #hungerTimer: Disposable | undefined
  #closing: PromiseWithResolvers<void> | undefined

  constructor({ clock, log, starter, histories, learned, memoryMiB, ...rest }: PoolOptions) {
    this.clock = clock
    this.log = log
    this.starter = starter
    this.agenda = new Agenda(clock)
    this.histories = histories
    this.learned = learned
    this.memoryMiB = memoryMiB
    this.ladder = rest.ladder
    this.processors = rest.processors
    this.limits = { maxWaiting: rest.maxWaiting, maxWaitMs: rest.maxWaitMs }
    this.#freeMiB = memoryMiB
    this.#stemCells = new StemCells({ clock, log, starter, house: this, ...rest.stemCells })
  }

  get freeMiB(): number {
    return this.#freeMiB
  }

  get starts(): number {
    return this.#starts
  }

  get evictionClock(): number {
    return this.#evictionClock
  }

  /** A slot of a warm sandbox; undefined when there is none: then `wait`. @throws PlatformError `shutting-down` */
  take(version: FunctionVersion): Lease | undefined {
    return this.#poolOf(version).take()
  }

  /** Waits for a slot. @throws PlatformError as `Invoker.invoke`; the signal's reason when it aborts */
  async wait(version: FunctionVersion, signal: StopSignal): Promise<Admission> {
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

  /** As `Invoker.prepare`. A function that wants nothing ahead of calls costs no memory until it is called. */
  prepare(version: FunctionVersion): void {
    if (this.#closing !== undefined) return
    this.#stemCells.expect(version.spec)
    if (this.#functions.has(version.function) || this.#wantsAhead(version)) this.#of(version.function).prepare(version)
  }

  /** As `Invoker.retire`. */
  retire(name: FunctionName, live: VersionNumber | undefined): void {
    this.#functions.get(name)?.retire(live)
    if (live === undefined) this.histories.forget(name)
  }

  /** What a call of a version with a latency objective took. */
  observe(version: FunctionVersion, totalMs: number, runMs: number): void {
    this.#functions.get(version.function)?.observe(totalMs, runMs)
  }

  activity({ function: name, spec }: FunctionVersion): PoolActivity {
    return (this.#functions.get(name) ?? new FunctionPools(name, this)).activity(spec)
  }

  sandboxes(): readonly DriverSandboxes[] {
    const all = [
      ...[...this.#pools()].flatMap(({ version: { spec }, members }) =>
        members.map((member) => ({ runtime: spec.runtime, member })),
      ),
      ...[...this.#stemCells.ready()].map(({ sandbox, spec }) => ({ runtime: spec.runtime, member: sandbox })),
    ]
    const byDriver = Map.groupBy(all, ({ runtime }) => this.starter.driverFor(runtime).name)
    for (const driver of this.#wakes.keys()) if (!byDriver.has(driver)) byDriver.set(driver, [])
    return [...byDriver].map(([driver, each]) => {
      const members = each.map(({ member }) => member)
      const wakes = this.#wakes.get(driver)?.costs ?? {}
      return { driver, counts: countStates(members), memory: memoryByState(members), wakes }
    })
  }

  /**
   * Refuses new calls, lets those that run or wait come to their end for up to `drainMs`, and ends all sandboxes.
   * Calls that then still run get `exited`, and those that wait `shutting-down`.
   */
  async drain(drainMs: number): Promise<void> {
    this.#closing = Promise.withResolvers()
    this.slotFreed()
    await within(this.#closing.promise, drainMs, this.clock)
    this.agenda[Symbol.dispose]()
    this.#hungerTimer?.[Symbol.dispose]()
    const closed = [...this.#pools()].map((pool) => pool.close(shuttingDown()))
    for (const pools of this.#functions.values()) pools.remember()
    const ended = [...closed, this.#stemCells.close(), this.histories.flush()]
    await within(Promise.all(ended), DISPOSE_MS, this.clock)
  }

  charge(memoryMiB: number): void {
    this.#freeMiB -= memoryMiB
  }

  generic(spec: SandboxSpec): readonly Member[] {
    return this.#stemCells.fit(spec)
  }

  wanted(spec: FunctionSpec): void {
    this.#stemCells.wanted(spec)
  }

  woke(runtime: RuntimeName, from: Rung, ms: number): void {
    const { name } = this.starter.driverFor(runtime)
    let wakes = this.#wakes.get(name)
    if (wakes === undefined) this.#wakes.set(name, (wakes = new Wakes()))
    wakes.add(from, ms)
  }

  countStarting(by: 1 | -1): void {
    this.#starts += by
  }

  functionGone(name: FunctionName): void {
    this.#functions.delete(name)
  }

  adopt(cell: Member): void {
    this.#stemCells.take(cell)
  }

  /** Generic ones first: they have served nobody yet. */
  evictable(): readonly Evictable<Member>[] {
    const worthless = { clock: 0, frequency: 0, costMs: 0 }
    const cells = [...this.#stemCells.ready()].map(({ sandbox }) => {
      return { sandbox, memoryMiB: sandbox.heldMiB, ...worthless }
    })
    return [...cells, ...[...this.#pools()].flatMap((pool) => pool.evictable())]
  }

  async evict(members: readonly Member[]): Promise<void> {
    if (members.length === 0) return
    for (const candidate of this.evictable()) {
      if (members.includes(candidate.sandbox)) this.#evictionClock = Math.max(this.#evictionClock, worth(candidate))
    }
    await Promise.all(members.map((member) => member.owner.dismiss(member)))
  }

  slotFreed(): void {
    if (this.hungry.size > 0) this.#feed()
    if (this.#closing !== undefined && [...this.#pools()].every(({ quiet }) => quiet)) this.#closing.resolve()
    for (const listener of this.#roomListeners) listener()
  }

  #poolOf(version: FunctionVersion): VersionPool {
    if (this.#closing !== undefined) throw shuttingDown()
    return this.#of(version.function).poolOf(version)
  }

  #of(name: FunctionName): FunctionPools {
    let pools = this.#functions.get(name)
    if (pools === undefined) this.#functions.set(name, (pools = new FunctionPools(name, this)))
    return pools
  }

  #wantsAhead({ function: name, spec }: FunctionVersion): boolean {
    if (spec.minSandboxes > 0) return true
    if (keepAliveMsOf(spec) !== undefined) return false
    const history = this.histories.of(name)
    if (history.endedAt === undefined) return false
    const { keptUntil, prewarm, expected } = planOf(this.learned(history, this.clock.now()), 0, 0)
    return expected && (keptUntil > 0 || prewarm !== undefined)
  }

  *#pools(): Iterable<VersionPool> {
    for (const { versions } of this.#functions.values()) yield* versions
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

function shuttingDown(): PlatformError {
  return new PlatformError('shutting-down', { detail: 'this invoker takes no more calls', retryAfterS: 1 })
}
