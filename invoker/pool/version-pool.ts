// The sandboxes of one function version and the calls that wait for them. Carries out what the pure deciders beside
// it decide (place, burst, keep-alive); knows nothing of other versions.
import type { PlatformError } from '#core/errors'
import type { FunctionVersion } from '#core/function'
import type { Start } from '#core/invocation'
import { LinkedList } from '#core/linked-list'
import type { Outcome } from '#core/outcome'
import { keepAliveMsOf } from '#core/spec'
import type { StopSignal } from '#core/stop-signal'
import type { GuardedSandbox } from '#invoker/sandbox/guarded-sandbox'

import type { Worth } from './burst.ts'
import { type Evictable, evictableOf } from './evict.ts'
import { expire, type Keep } from './expire.ts'
import type { House, Hungry, OwnedVersion, Owner } from './house.ts'
import { type Admission, Lease, type Member, WARM_START } from './member.ts'
import { bestWarm, place, placeAhead, type Placement } from './place.ts'
import { type Home, Resting } from './resting.ts'
import { coming, countServing, type Rung, serving, slotsIn } from './sandbox-state.ts'
import { Starting, type StartingHome } from './starting.ts'
import { Tempo } from './tempo.ts'
import { WaitingLine } from './waiting-line.ts'
import { worthNow } from './worth.ts'

export class VersionPool implements Hungry, OwnedVersion, StartingHome, Home {
  readonly version: FunctionVersion
  /** Of the spec; undefined: learned. */
  readonly keepAliveMs: number | undefined
  readonly #house: House
  readonly #owner: Owner
  readonly #line: WaitingLine<Admission>
  readonly #members: Member[] = []
  /** In the order of their calls. */
  readonly #leases = new LinkedList<Lease>()
  readonly #tempo: Tempo
  readonly #starting: Starting
  readonly #resting: Resting
  #retired = false
  #closed = false
  /** Calls since there have been sandboxes without a break. */
  #frequency = 0
  #wake: Disposable | undefined

  /** @param before the version before this one */
  constructor(version: FunctionVersion, house: House, owner: Owner, before?: VersionPool) {
    this.version = version
    this.keepAliveMs = keepAliveMsOf(version.spec)
    this.#house = house
    this.#owner = owner
    this.#tempo = new Tempo(before?.version.spec.runtime === version.spec.runtime ? before.#tempo : undefined)
    this.#starting = new Starting(house, this, this.#tempo)
    this.#resting = new Resting(house, owner, this)
    this.#line = new WaitingLine(house.clock, house.limits, {
      startingSlots: () => slotsIn(this.#members, 'starting', 'waking'),
      retryAfterS: () => this.#tempo.retryAfterS(this.#line.length, slotsIn(this.#members, 'idle', 'busy')),
    })
  }

  get waiting(): number {
    return this.#line.length
  }

  /** Since when its first call has been waiting. */
  get hungrySince(): number {
    return this.#line.oldest
  }

  get serving(): number {
    return countServing(this.#members)
  }

  get usedMiB(): number {
    return this.#members.reduce((sum, { state, heldMiB }) => (serving(state) ? sum + heldMiB : sum), 0)
  }

  /** However idle it is. */
  get minSandboxes(): number {
    return this.#retired ? 0 : this.version.spec.minSandboxes
  }

  get startMs(): number {
    return this.#tempo.startMs
  }

  get slowStartMs(): number {
    return this.#tempo.slowStartMs
  }

  /** No call runs or waits. */
  get quiet(): boolean {
    return this.#line.length === 0 && this.#leases.size === 0
  }

  get empty(): boolean {
    return this.#members.length === 0 && this.#line.length === 0
  }

  get members(): readonly Member[] {
    return this.#members
  }

  get notHibernated(): string | undefined {
    return this.#resting.notHibernated
  }

  /** A warm slot, if there is one and nobody waits for it. */
  take(): Lease | undefined {
    if (this.#line.length > 0) return undefined
    const member = bestWarm(this.#members)
    return member === undefined ? undefined : this.#lend(member, WARM_START)
  }

  /** Waits for a slot. @throws PlatformError as `Invoker.invoke`; the signal's reason when it aborts */
  async wait(signal: StopSignal): Promise<Admission> {
    this.#house.starter.driverFor(this.version.spec.runtime)
    const turn = this.#line.join(signal)
    this.pump()
    this.#line.trim()
    try {
      return await turn
    } finally {
      this.#house.slotFreed()
    }
  }

  /** How many more calls would start at once, or with a start that is worth it. */
  room(): number {
    const slots = this.#members.reduce((sum, { state }) => sum + coming(state), 0) - this.#line.length
    if (slots > 0 || this.#line.length > 0) return Math.max(0, slots)
    const placement = this.#place({ paused: true, hibernated: true, start: true })
    return placement.kind === 'wait' ? 0 : 1
  }

  /** Serves those who wait as far as there is room, and starts what they are worth. */
  pump(): void {
    if (this.#closed) return
    this.#house.hungry.delete(this)
    while (this.#line.length > 0 && this.#carryOut(this.#place(this.#worth()))) continue
    this.#startAhead(Math.max(this.minSandboxes, this.#owner.staff))
    this.#lookAgain()
  }

  /** A retired version keeps nothing idle; calls that still come are served. */
  retire(retired: boolean): void {
    if (this.#retired === retired) return
    this.#retired = retired
    this.#owner.becameIdle(this, this.#house.clock.monotonic())
    this.pump()
  }

  /** Starts a sandbox ahead of calls, where there is none and memory is free. */
  prewarm(): void {
    this.#startAhead(1)
  }

  /** Lets go of what has been idle for long enough, and lets others sleep; returns when to ask again. */
  expire(keep: Keep, now: number): number {
    const { expired, nextAt } = expire(this.#members, keep, now)
    for (const member of expired) void this.dismiss(member)
    const { staff, awaited } = this.#owner
    const awake = this.#retired ? 0 : staff
    const light = Math.max(awake, this.minSandboxes, this.#retired ? 0 : awaited)
    return Math.min(nextAt, this.#resting.descend(this.#members, { awake, light }, now))
  }

  woken(member: Member, from: Rung, ms: number): void {
    this.#tempo.woke(from, ms)
    this.#owner.woke(this, from, ms)
    this.#available(member, { kind: 'warm', startMs: ms })
  }

  evictable(): readonly Evictable<Member>[] {
    const spare = Math.max(0, this.serving - this.minSandboxes)
    const facts = { frequency: this.#frequency, costMs: this.#tempo.startMs }
    return evictableOf(this.#members, facts).slice(0, spare)
  }

  /** Gives up a busy sandbox, once its calls are over, for calls of others that have waited for memory too long. */
  concede(): void {
    if (this.serving <= this.minSandboxes) return
    if (this.#members.some(({ state }) => state.kind === 'draining')) return
    this.#members.find(({ state }) => state.kind === 'busy')?.sandbox?.drain()
  }

  async dismiss(member: Member): Promise<void> {
    member.state = { kind: 'draining' }
    member.abort.abort()
    await member.sandbox?.kill('the platform ended the sandbox')
    await member.left.promise
  }

  /** Turns away those who wait, ends every sandbox and starts none. */
  async close(reason: PlatformError): Promise<void> {
    this.#closed = true
    this.#wake?.[Symbol.dispose]()
    this.#line.refuse(reason)
    await Promise.all(this.#members.map((member) => this.dismiss(member)))
  }

  #place(worth: Worth): Placement<Member> {
    const { spec } = this.version
    const demand = { memoryMiB: spec.memoryMiB, maxSandboxes: this.#owner.capOf(this), worth }
    return place(demand, {
      own: this.#members,
      generic: this.#house.generic(spec),
      freeMiB: this.#house.freeMiB,
      evictable: () => this.#house.evictable(),
    })
  }

  /** False when nothing more can be done for those who wait. */
  #carryOut(placement: Placement<Member>): boolean {
    switch (placement.kind) {
      case 'reuse':
      case 'join':
        this.#line.serve((since) => ({ kind: 'lease', lease: this.#admit(placement.sandbox, since) }))
        return true
      case 'specialize':
        this.#house.wanted(this.version.spec)
        this.#start(Promise.resolve(), placement.sandbox)
        return true
      case 'wake':
        void this.#resting.wake(placement.sandbox, this.#house.evict(placement.evict))
        return true
      case 'create':
        this.#house.wanted(this.version.spec)
        this.#start(this.#house.evict(placement.evict))
        return true
      case 'wait':
        if (placement.for === 'memory') this.#house.hungry.add(this)
        return false
      default:
        return placement satisfies never
    }
  }

  #worth(): Worth {
    const { clock, starter, starts, processors } = this.#house
    const { spec } = this.version
    const { length: waiting, busySince } = this.#line
    const machine = { starts, processors }
    const facts = { waiting, busySince, oldest: this.#leases.first, slots: starter.slotsOf(spec), spec, ...machine }
    return worthNow(this.#members, this.#tempo, facts, clock.monotonic())
  }

  /** So many sandboxes, as far as memory is free or there are generic ones to spare. */
  #startAhead(count: number): void {
    const now = this.#house.clock.monotonic()
    const { spec } = this.version
    const most = this.#retired || this.#closed ? 0 : Math.min(count, this.#owner.capOf(this))
    while (this.serving < most && this.#tempo.mayStart(now)) {
      const { freeMiB } = this.#house
      const placement = placeAhead(spec, { own: this.#members, generic: this.#house.generic(spec), freeMiB })
      if (placement === undefined) return
      const cell = placement.kind === 'specialize' ? placement.sandbox : undefined
      const turn = cell === undefined ? this.#house.ahead.take(this, () => this.#startAhead(count)) : undefined
      if (cell === undefined && turn === undefined) return
      this.#start(Promise.resolve(), cell, turn)
    }
  }

  #start(room: Promise<void>, cell?: Member, turn?: Disposable): void {
    this.#members.push(this.#starting.start(room, cell, turn))
  }

  /** One timer, while there is a backlog. */
  #lookAgain(): void {
    const waits = this.#line.length > 0 || this.serving < this.minSandboxes
    if (!waits || this.#wake !== undefined) return
    const { clock } = this.#house
    this.#wake = clock.after(this.#tempo.recheckMs(clock.monotonic()), () => {
      this.#wake = undefined
      this.pump()
    })
  }

  started(member: Member, sandbox: GuardedSandbox, start: Start): void {
    member.sandbox = sandbox
    member.deepest = sandbox.deepest
    sandbox.onChange = () => {
      this.#refresh(member)
      this.pump()
    }
    void sandbox.gone.then(() => this.left(member))
    this.#available(member, start)
  }

  /** It takes calls now, first of those who wait for it. */
  #available(member: Member, how: Member['fresh']): void {
    this.#refresh(member)
    member.fresh = how
    this.pump()
    member.fresh = undefined
    this.#freed(member)
  }

  /** Unless others work, those who wait are told. */
  hopeless(error: PlatformError): void {
    if (!this.#works()) this.#line.refuse(error)
  }

  /** As `hopeless`. */
  unloadable(outcome: Outcome, start: Start): void {
    while (this.#line.length > 0 && !this.#works()) this.#line.serve(() => ({ kind: 'unloadable', outcome, start }))
  }

  /** A slot for a call that has waited since `since`. */
  #admit(member: Member, since: number): Lease {
    const waitedMs = this.#house.clock.monotonic() - since
    const { fresh } = member
    if (fresh === undefined) return this.#lend(member, { kind: 'warm', queueMs: waitedMs, startMs: 0 })
    const startMs = Math.min(fresh.startMs, waitedMs)
    return this.#lend(member, { kind: fresh.kind, queueMs: waitedMs - startMs, startMs })
  }

  #lend(member: Member, start: Start): Lease {
    const lease = new Lease(member, start, this.#house.clock.monotonic(), this.#giveBack)
    this.#leases.add(lease)
    this.#owner.callStarted()
    this.#frequency += 1
    member.inFlight += 1
    this.#refresh(member)
    return lease
  }

  readonly #giveBack = (lease: Lease, member: Member): void => {
    this.#leases.delete(lease)
    this.#owner.callEnded()
    this.#tempo.served(this.#house.clock.monotonic() - lease.startedAt, lease.settled)
    member.inFlight -= 1
    member.settled = true
    this.#refresh(member)
    if (this.#line.length > 0) this.pump()
    this.#freed(member)
  }

  /** After a slot came back, or came. */
  #freed(member: Member): void {
    if (member.state.kind === 'idle') this.#owner.becameIdle(this, member.state.since)
    this.#house.slotFreed()
  }

  /** Brings the state in line with what is so. */
  #refresh(member: Member): void {
    const { sandbox, inFlight, slots } = member
    if (sandbox === undefined || member.state.kind === 'draining') return
    if (sandbox.leaving) member.state = { kind: 'draining' }
    else if (inFlight > 0) member.state = { kind: 'busy', inFlight, slots, accepting: sandbox.accepting }
    else {
      const { clock, evictionClock } = this.#house
      member.state = { kind: 'idle', since: clock.monotonic(), slots, clock: evictionClock }
    }
  }

  /** Nothing of it is left. */
  left(member: Member): void {
    const index = this.#members.indexOf(member)
    if (index === -1) return
    this.#members.splice(index, 1)
    if (this.#members.length === 0) this.#frequency = 0
    this.#house.charge(-member.heldMiB)
    member.left.resolve()
    this.pump()
    this.#owner.sandboxLeft(this)
    this.#house.slotFreed()
  }

  #works(): boolean {
    return slotsIn(this.#members, 'idle', 'busy', 'waking') > 0
  }
}
