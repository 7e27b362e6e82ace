// One function: the pools of its versions, how it is called, and for how long it stays loaded because of that. Carries
// out what keep-alive/ and latency.ts decide; knows nothing of other functions.
import type { FunctionSpec, FunctionVersion } from '#core/function'
import type { FunctionName, VersionNumber } from '#core/ids'
import type { FunctionActivity, KeepAliveStatus } from '#core/invoker'
import { keepAliveMsOf } from '#core/spec'

import type { Due } from './agenda.ts'
import { type Keep, KEEP_NOTHING } from './expire.ts'
import type { House, OwnedVersion, Owner } from './house.ts'
import { type IdlePlan, loadedAhead, planOf, statusOf } from './idle-plan.ts'
import { fixed } from './keep-alive/fixed.ts'
import { Habits } from './keep-alive/habits.ts'
import type { KeepAliveDecision } from './keep-alive/policy.ts'
import { countStates, type Rung } from './sandbox-state.ts'
import { Staff } from './staff.ts'
import { memoryByState } from './state-memory.ts'
import { VersionPool } from './version-pool.ts'
import { Wakes } from './wakes.ts'

/** With a learned keep-alive it is looked at a function only then: most are called again before. */
const LOOK_MS = 1000
/** With a learned keep-alive: how long sandboxes stay beside the one that calls of late made do with. */
const SPARE_MS = 300_000
/** How long calls wait for the sandboxes of older versions before one of theirs is started beside them. */
const PATIENCE_MS = 1000

export type PoolActivity = Omit<FunctionActivity, 'starts' | 'lastStarts'>

export class FunctionPools implements Owner, Due {
  readonly name: FunctionName
  readonly #house: House
  readonly #habits: Habits
  readonly #staff: Staff
  /** How long a sandbox is idle before anything is done with it. */
  readonly #firstRungMs: number
  readonly #wakes = new Wakes()
  #versions: readonly VersionPool[] = []
  /** Undefined while nobody has said which one is. */
  #live: VersionNumber | 'none' | undefined
  /** When it is looked at next. */
  #lookAt = Infinity
  /** When a sandbox became idle last. */
  #idleSince = -Infinity
  /** For the idle time that it is in. */
  #plan: IdlePlan | undefined
  /** The last call whose end is in what was given to be saved. */
  #savedUntil: number | undefined

  constructor(name: FunctionName, house: House) {
    this.name = name
    this.#house = house
    this.#habits = new Habits(house.histories.of(name))
    this.#savedUntil = this.#habits.endedAt
    this.#staff = new Staff(house)
    this.#firstRungMs = Math.min(house.ladder.pauseAfterMs, house.ladder.hibernateAfterMs)
  }

  get versions(): readonly VersionPool[] {
    return this.#versions
  }

  get staff(): number {
    return this.#staff.sandboxes
  }

  get awaited(): number {
    return this.#plan?.ahead === true ? 1 : 0
  }

  poolOf(version: FunctionVersion): VersionPool {
    // By digest as well: a function that was removed and made anew counts its versions from 1 again.
    const known = this.#versions.find(
      ({ version: { number, digest } }) => number === version.number && digest === version.digest,
    )
    if (known !== undefined) return known
    const pool = new VersionPool(version, this.#house, this, this.#livePool())
    this.#versions = [...this.#versions, pool]
    if (this.#live !== undefined) pool.retire(this.#live !== version.number)
    return pool
  }

  /** @param live undefined: the function is gone */
  retire(live: VersionNumber | undefined): void {
    this.#live = live ?? 'none'
    for (const pool of this.#versions) pool.retire(pool.version.number !== live)
    this.#look(this.#house.clock.monotonic())
  }

  /** As `Invoker.prepare`. */
  prepare(version: FunctionVersion): void {
    if (this.#live !== undefined && this.#live !== version.number) return
    const pool = this.poolOf(version)
    const inUse = this.#versions.some((other) => other !== pool && other.serving > 0)
    this.retire(version.number)
    pool.pump()
    // It takes over from one that is warm: its next call is not to wait for a start.
    if (inUse) pool.prewarm()
    const plan = this.#habits.running ? undefined : this.#planNow()
    if (plan?.expected === true && plan.keptUntil > this.#house.clock.monotonic()) {
      this.#plan = { ...plan, ahead: true }
      pool.prewarm()
    }
  }

  due(now: number): number {
    this.#lookAt = Infinity
    this.remember()
    this.#drop()
    const pool = this.#livePool()
    const staffLook = pool === undefined ? Infinity : this.#staff.look(pool, now)
    let next = Math.min(staffLook, this.#followPlan(pool, now))
    for (const each of this.#versions) next = Math.min(next, each.expire(this.#keepOf(each, now), now))
    this.#share()
    this.#lookAt = Math.min(this.#lookAt, next)
    return this.#lookAt
  }

  callStarted(): void {
    this.#plan = undefined
    this.#habits.callStarted(this.#house.clock.now())
  }

  callEnded(): void {
    this.#habits.callEnded(this.#house.clock.now())
  }

  becameIdle(version: OwnedVersion, since: number): void {
    if (!this.#isLive(version)) return this.#look(since)
    this.#idleSince = since
    this.#look(since + Math.min(this.#fixedMs ?? LOOK_MS, this.#firstRungMs))
  }

  lookAt(time: number): void {
    this.#look(time)
  }

  woke({ version: { spec } }: OwnedVersion, from: Rung, ms: number): void {
    this.#wakes.add(from, ms)
    this.#house.woke(spec.runtime, from, ms)
  }

  capOf(version: OwnedVersion): number {
    const { maxSandboxes } = version.version.spec
    if (this.#versions.length === 1) return maxSandboxes
    const others = this.#versions.reduce((sum, pool) => (pool === version ? sum : sum + pool.serving), 0)
    const waitedMs = this.#house.clock.monotonic() - version.hungrySince
    return Math.max(waitedMs > PATIENCE_MS ? 1 : 0, maxSandboxes - others)
  }

  sandboxLeft(version: OwnedVersion): void {
    this.#share()
    if (!this.#isLive(version)) this.#look(this.#house.clock.monotonic())
  }

  /** What a call took, of a function with a latency objective. */
  observe(totalMs: number, runMs: number): void {
    this.#look(this.#staff.observe(totalMs, runMs))
  }

  /** @param spec of the live version */
  activity(spec: FunctionSpec): PoolActivity {
    const members = this.#versions.flatMap((each) => each.members)
    const counts = countStates(members)
    const loaded = counts.idle + counts.paused + counts.hibernated > 0
    const waiting = this.#versions.reduce((sum, each) => sum + each.waiting, 0)
    const { generic } = countStates(this.#house.generic(spec))
    const { until, loadAt, ...known } = this.#keepAlive(spec)
    const keepAlive = {
      ...known,
      ...(until === undefined || this.#habits.running || !loaded ? {} : { until }),
      ...(loadAt === undefined || this.#habits.running ? {} : { loadAt }),
    }
    const latency = this.#staff.status(spec.targetLatencyMs)
    const notHibernated = this.#livePool()?.notHibernated
    return {
      sandboxes: { ...counts, generic },
      memory: memoryByState(members),
      wakes: this.#wakes.costs,
      ...(notHibernated === undefined ? {} : { notHibernated }),
      waiting,
      keepAlive,
      ...(latency === undefined ? {} : { latency }),
    }
  }

  /** Gives what is new of its history to be saved. */
  remember(): void {
    if (this.#habits.endedAt === this.#savedUntil) return
    this.#savedUntil = this.#habits.endedAt
    this.#house.histories.changed(this.name, () => this.#habits.history)
  }

  #look(time: number): void {
    if (time >= this.#lookAt) return
    this.#lookAt = time
    this.#house.agenda.at(this, time)
  }

  #isLive({ version }: OwnedVersion): boolean {
    return this.#live === undefined || version.number === this.#live
  }

  #livePool(): VersionPool | undefined {
    return this.#versions.findLast((pool) => this.#isLive(pool))
  }

  /** What the next start of the live version may take. */
  get #slowStartMs(): number {
    return this.#livePool()?.slowStartMs ?? 0
  }

  /** Undefined: learned. */
  get #fixedMs(): number | undefined {
    const pool = this.#livePool()
    return pool === undefined ? 0 : pool.keepAliveMs
  }

  /** @param fixedMs undefined: learned */
  #decide(fixedMs: number | undefined): KeepAliveDecision {
    const { clock, learned } = this.#house
    return (fixedMs === undefined ? learned : fixed(fixedMs))(this.#habits.history, clock.now())
  }

  /** Undefined before its first call. */
  #planNow(): IdlePlan | undefined {
    if (this.#habits.endedAt === undefined) return undefined
    this.#plan ??= planOf(this.#decide(this.#fixedMs), this.#slowStartMs, this.#house.clock.monotonic())
    return this.#plan
  }

  /** Loads it when its time has come; returns when to ask again. */
  #followPlan(pool: VersionPool | undefined, now: number): number {
    if (pool === undefined || this.#habits.running || this.#fixedMs !== undefined) return Infinity
    const lookAt = this.#idleSince + LOOK_MS
    if (now < lookAt) return lookAt
    const plan = this.#planNow()
    if (plan?.prewarm === undefined) return Infinity
    if (now < plan.prewarm.at) return plan.prewarm.at
    this.#plan = loadedAhead(plan.prewarm.until)
    pool.prewarm()
    return Infinity
  }

  #keepOf(pool: VersionPool, now: number): Keep {
    if (!this.#isLive(pool)) return KEEP_NOTHING
    const { minSandboxes } = pool
    const staff = this.staff
    const fixedMs = this.#fixedMs
    if (fixedMs !== undefined) return { kept: staff, keptUntil: Infinity, spareMs: fixedMs, minSandboxes }
    const undecided = this.#habits.running || staff > 0 || now < this.#idleSince + LOOK_MS
    const keptUntil = undecided ? Infinity : (this.#plan?.keptUntil ?? this.#idleSince + SPARE_MS)
    return { kept: Math.max(1, staff), keptUntil, spareMs: SPARE_MS, minSandboxes }
  }

  /** Versions that nothing is left of. */
  #drop(): void {
    const kept = this.#versions.filter((pool) => !pool.empty || this.#isLive(pool))
    if (kept.length < this.#versions.length) this.#versions = kept
    if (this.#live === 'none' && kept.length === 0) this.#house.functionGone(this.name)
  }

  /** What one version gave up may be for another one. */
  #share(): void {
    if (this.#versions.length > 1) for (const pool of this.#versions) pool.pump()
  }

  #keepAlive(spec: FunctionSpec): KeepAliveStatus {
    const at = { startMs: this.#slowStartMs, now: this.#house.clock.now() }
    return statusOf(this.#decide(keepAliveMsOf(spec)), this.#habits.history, at)
  }
}
