// Lets the idle sandboxes of one version sleep and wakes them for calls: carries out what descend.ts and place.ts
// decide. A sandbox counts as resting before it is told to rest, so no call can be given to it in between.
import { within } from '#invoker/within'

import { descend, type Stay } from './descend.ts'
import type { House, OwnedVersion, Owner } from './house.ts'
import type { Member } from './member.ts'
import { resting, type Rung, type SandboxState } from './sandbox-state.ts'

/** Whose sandboxes they are. */
export interface Home extends OwnedVersion {
  /** It is awake and answers: for those who wait, if there are any. */
  woken(member: Member, from: Rung, ms: number): void
}

const never = new AbortController().signal
/** A sandbox that does not wake by then is given up, and its calls to others. Also of a stem cell. */
export const WAKE_MS = 2000
/** One that takes longer to be let sleep is given up: nobody knows any more what it does. */
const PAUSE_MS = 10_000
const HIBERNATE_MS = 60_000
/** How long one that could not be let sleep stays as it is. */
const RETRY_MS = 60_000
const MIB = 1024 * 1024

export class Resting {
  readonly #house: House
  readonly #owner: Owner
  readonly #home: Home
  #notHibernated: string | undefined

  constructor(house: House, owner: Owner, home: Home) {
    this.#house = house
    this.#owner = owner
    this.#home = home
  }

  /** Why the last one that was to be hibernated was not; undefined when it was. */
  get notHibernated(): string | undefined {
    return this.#notHibernated
  }

  /** Lets those sleep whose time has come; returns when to ask again. */
  descend(members: readonly Member[], stay: Stay, now: number): number {
    const { pause, hibernate, nextAt } = descend(members, { ...this.#house.ladder, ...stay }, now)
    for (const member of pause) void this.#pause(member)
    for (const member of hibernate) void this.#hibernate(member)
    return nextAt
  }

  /** Wakes it for calls, once there is `room` for its memory. When it does not wake it goes. */
  async wake(member: Member, room: Promise<void>): Promise<void> {
    const { clock, log } = this.#house
    const { sandbox, state } = member
    if (sandbox === undefined || !resting(state)) return
    const waking: SandboxState = { kind: 'waking', since: clock.monotonic(), slots: state.slots }
    member.state = waking
    member.restsFrom = -Infinity
    this.#hold(member, this.#memoryMiB)
    await room
    const since = clock.monotonic()
    const woken = await sandbox.wake(WAKE_MS)
    if (!woken) log.warn('a sandbox did not wake and was given up', { ...this.#label, from: state.kind })
    // Else it was dismissed meanwhile, or goes.
    if (member.state === waking) this.#home.woken(member, state.kind, clock.monotonic() - since)
  }

  get #memoryMiB(): number {
    return this.#home.version.spec.memoryMiB
  }

  get #label(): Readonly<Record<string, unknown>> {
    const { function: name, number: version } = this.#home.version
    return { function: name, version }
  }

  async #pause(member: Member): Promise<void> {
    const { sandbox, state } = member
    if (sandbox === undefined || state.kind !== 'idle') return
    const paused: SandboxState = { ...state, kind: 'paused' }
    member.state = paused
    const sleeps = await within(sandbox.pause(), PAUSE_MS, this.#house.clock)
    if (member.state !== paused || sleeps === true) return
    if (sleeps === undefined) return this.#giveUp(member, PAUSE_MS)
    member.state = state
    this.#tryLater(member)
  }

  async #hibernate(member: Member): Promise<void> {
    const { sandbox, state } = member
    if (sandbox === undefined || (state.kind !== 'idle' && state.kind !== 'paused')) return
    // Not hibernated before it is: a call that comes meanwhile is better off elsewhere, and its memory is still there.
    const paused: SandboxState = { ...state, kind: 'paused' }
    member.state = paused
    // Once is enough, however often it is looked at until it is done.
    member.restsFrom = Infinity
    using _turn = await this.#house.hibernations.acquire(never)
    if (member.state !== paused) return
    // When it ends meanwhile, its turn does too.
    const over = Promise.race([sandbox.hibernate(), sandbox.ended.then(() => undefined)])
    const result = await within(over, HIBERNATE_MS, this.#house.clock)
    if (member.state !== paused) return
    if (result === undefined) return this.#giveUp(member, HIBERNATE_MS)
    member.restsFrom = -Infinity
    this.#notHibernated = result.hibernated ? undefined : result.reason
    if (result.hibernated) {
      const residentMiB = this.#countable(result.residentBytes)
      member.state = { ...paused, kind: 'hibernated', residentMiB }
      this.#hold(member, residentMiB)
      this.#house.slotFreed()
      return
    }
    if (sandbox.rest === 'awake') member.state = { ...paused, kind: 'idle' }
    this.#tryLater(member)
  }

  #tryLater(member: Member): void {
    member.restsFrom = this.#house.clock.monotonic() + RETRY_MS
    this.#owner.lookAt(member.restsFrom)
  }

  #giveUp(member: Member, limitMs: number): void {
    this.#house.log.warn('an idle sandbox could not be let sleep and was given up', { ...this.#label, limitMs })
    void member.owner.dismiss(member)
  }

  #hold(member: Member, memoryMiB: number): void {
    this.#house.charge(memoryMiB - member.heldMiB)
    member.heldMiB = memoryMiB
  }

  /** What the driver says is not trusted to be a number, nor to be less than it was. */
  #countable(bytes: number): number {
    const memoryMiB = this.#memoryMiB
    return bytes >= 0 ? Math.min(memoryMiB, Math.max(1, Math.ceil(bytes / MIB))) : memoryMiB
  }
}
