// The sandboxes of one function version and the calls that wait for them. Carries out what the pure deciders beside
// it decide (place, burst, keep-alive); knows nothing of other versions.
import type { PlatformError } from '#core/errors'
import type { FunctionVersion } from '#core/function'
import type { Start } from '#core/invocation'
import type { SandboxCounts } from '#core/invoker'
import { LinkedList } from '#core/linked-list'
import type { Outcome } from '#core/outcome'
import type { StopSignal } from '#core/stop-signal'
import type { GuardedSandbox } from '#invoker/sandbox/guarded-sandbox'

import { bring } from './bring.ts'
import { startsFor } from './burst.ts'
import type { Evictable } from './evict.ts'
import { expire, type Keep } from './expire.ts'
import type { House, Hungry, OwnedVersion, Owner } from './house.ts'
import { backlogMs } from './latency.ts'
import { Lease, type Member, type MemberOwner, newMember, WARM_START } from './member.ts'
import { bestWarm, place, type Placement } from './place.ts'
import { coming, countServing, countStates, slotsIn } from './sandbox-state.ts'
import { notStarted } from './starter.ts'
import { Tempo } from './tempo.ts'
import { WaitingLine } from './waiting-line.ts'

/** What a call gets that asked for a sandbox. */
export type Admission =
  | { readonly kind: 'lease'; readonly lease: Lease }
  /** No sandbox can run this code, and the code is to blame. */
  | { readonly kind: 'unloadable'; readonly outcome: Outcome; readonly start: Start }

export class VersionPool implements Hungry, MemberOwner, OwnedVersion {
  readonly version: FunctionVersion
  readonly #house: House
  readonly #owner: Owner
  readonly #line: WaitingLine<Admission>
  readonly #members: Member[] = []
  /** In the order of their calls. */
  readonly #leases = new LinkedList<Lease>()
  readonly #tempo = new Tempo()
  #retired = false
  #closed = false
  /** Calls since there have been sandboxes without a break. */
  #frequency = 0
  #wake: Disposable | undefined

  constructor(version: FunctionVersion, house: House, owner: Owner) {
    this.version = version
    this.#house = house
    this.#owner = owner
    this.#line = new WaitingLine(house.clock, house.limits, {
      startingSlots: () => slotsIn(this.#members, 'starting'),
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
    return this.serving * this.version.spec.memoryMiB
  }

  /** However idle it is. */
  get minSandboxes(): number {
    return this.#retired ? 0 : this.version.spec.minSandboxes
  }

  get startMs(): number {
    return this.#tempo.startMs
  }

  /** No call runs or waits. */
  get quiet(): boolean {
    return this.#line.length === 0 && this.#leases.size === 0
  }

  get empty(): boolean {
    return this.#members.length === 0 && this.#line.length === 0
  }

  counts(): SandboxCounts {
    return countStates(this.#members)
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
    const placement = this.#place(true)
    return placement.kind === 'wait' ? 0 : 1
  }

  /** Serves those who wait as far as there is room, and starts what they are worth. */
  pump(): void {
    if (this.#closed) return
    this.#house.hungry.delete(this)
    while (this.#line.length > 0 && this.#carryOut(this.#place(this.#worthStart()))) continue
    this.#startAhead(Math.max(this.minSandboxes, this.#retired ? 0 : this.#owner.staff))
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

  /** Lets go of what has been idle for long enough; returns when to ask again. */
  expire(keep: Keep, now: number): number {
    const { expired, nextAt } = expire(this.#members, keep, now)
    for (const member of expired) void this.dismiss(member)
    return nextAt
  }

  evictable(): readonly Evictable<Member>[] {
    const { memoryMiB } = this.version.spec
    const spare = Math.max(0, this.serving - this.minSandboxes)
    const facts = { frequency: this.#frequency, costMs: this.#tempo.startMs, memoryMiB }
    return this.#members
      .flatMap((sandbox) => (sandbox.state.kind === 'idle' ? [{ sandbox, clock: sandbox.state.clock, ...facts }] : []))
      .slice(0, spare)
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

  #place(worthStart: boolean): Placement<Member> {
    const { spec } = this.version
    const demand = { memoryMiB: spec.memoryMiB, maxSandboxes: this.#owner.capOf(this), worthStart }
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
        this.#house.adopt(placement.sandbox)
        void this.#start(Promise.resolve(), placement.sandbox.sandbox)
        return true
      case 'create':
        this.#house.wanted(this.version.spec)
        void this.#start(this.#house.evict(placement.evict))
        return true
      case 'wait':
        if (placement.for === 'memory') this.#house.hungry.add(this)
        return false
      default:
        return placement satisfies never
    }
  }

  #worthStart(): boolean {
    const now = this.#house.clock.monotonic()
    if (!this.#tempo.mayStart(now)) return false
    const { startMs } = this.#tempo
    const oldest = this.#leases.first
    const slots = this.#house.starter.slotsOf(this.version.spec)
    const backlog = {
      waiting: this.#line.length,
      warmSlots: slotsIn(this.#members, 'idle', 'busy'),
      startingSlots: slotsIn(this.#members, 'starting'),
      slots,
      serviceMs: this.#tempo.serviceMs(oldest === undefined ? undefined : now - oldest.startedAt),
      startMs,
      withinMs: backlogMs(this.version.spec.targetLatencyMs, startMs),
    }
    return startsFor(backlog) > 0
  }

  /** So many sandboxes, as far as memory is free: idle ones of others are not given up for what nobody waits for. */
  #startAhead(count: number): void {
    const now = this.#house.clock.monotonic()
    const most = Math.min(count, this.#owner.capOf(this))
    while (this.serving < most && this.#tempo.mayStart(now) && this.version.spec.memoryMiB <= this.#house.freeMiB) {
      void this.#start(Promise.resolve())
    }
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

  async #start(room: Promise<void>, generic?: GuardedSandbox): Promise<void> {
    const { clock, starter } = this.#house
    const slots = starter.slotsOf(this.version.spec)
    const member = newMember(this, { kind: 'starting', since: clock.monotonic(), slots })
    this.#members.push(member)
    this.#house.charge(this.version.spec.memoryMiB)
    this.#house.countStarting(1)
    const brought = await bring({ clock, starter, version: this.version, room, generic }, member.abort.signal)
    this.#house.countStarting(-1)
    if (brought.kind === 'ready') return this.#brought(member, brought.sandbox, brought.start)
    if (brought.kind === 'unloadable') this.#unloadable(brought.outcome, brought.start)
    if (brought.kind === 'failed') this.#startFailed(brought.error)
    this.#left(member)
  }

  #brought(member: Member, sandbox: GuardedSandbox, start: Start): void {
    this.#tempo.started(start.startMs)
    member.sandbox = sandbox
    sandbox.onChange = () => {
      this.#refresh(member)
      this.pump()
    }
    void sandbox.gone.then(() => this.#left(member))
    this.#refresh(member)
    member.fresh = start
    this.pump()
    member.fresh = undefined
    this.#freed(member)
  }

  #startFailed(error: PlatformError): void {
    this.#tempo.startFailed(this.#house.clock.monotonic())
    const { function: name, number: version } = this.version
    this.#house.log.warn('a sandbox could not be started', { function: name, version, error, cause: error.cause })
    const hopeless = error.code === 'driver-unavailable' || this.#tempo.hopeless
    if (hopeless && !this.#works()) this.#line.refuse(notStarted(error, this.#tempo.failures))
  }

  /** Another sandbox would fare no better: unless others work, those who wait are told. */
  #unloadable(outcome: Outcome, start: Start): void {
    this.#tempo.startFailed(this.#house.clock.monotonic())
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
    this.#tempo.served(this.#house.clock.monotonic() - lease.startedAt)
    member.inFlight -= 1
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
    else member.state = { kind: 'idle', since: this.#house.clock.monotonic(), slots, clock: this.#house.evictionClock }
  }

  /** Nothing of it is left. */
  #left(member: Member): void {
    const index = this.#members.indexOf(member)
    if (index === -1) return
    this.#members.splice(index, 1)
    if (this.#members.length === 0) this.#frequency = 0
    this.#house.charge(-this.version.spec.memoryMiB)
    member.left.resolve()
    this.pump()
    this.#owner.sandboxLeft(this)
    this.#house.slotFreed()
  }

  #works(): boolean {
    return slotsIn(this.#members, 'idle', 'busy') > 0
  }
}
