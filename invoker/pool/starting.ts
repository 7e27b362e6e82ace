// Starts the sandboxes of one version and keeps account of how that goes. When to start one is place.ts; what a start
// consists of is bring.ts.
import type { PlatformError } from '#core/errors'
import type { FunctionVersion } from '#core/function'
import type { Start } from '#core/invocation'
import type { Outcome } from '#core/outcome'
import type { GuardedSandbox } from '#invoker/sandbox/guarded-sandbox'

import { bring } from './bring.ts'
import type { House } from './house.ts'
import { type Member, type MemberOwner, newMember } from './member.ts'
import { notStarted } from './starter.ts'
import type { Tempo } from './tempo.ts'

/** Whose sandboxes they are. */
export interface StartingHome extends MemberOwner {
  readonly version: FunctionVersion
  started(member: Member, sandbox: GuardedSandbox, start: Start): void
  /** The code is to blame: another sandbox would fare no better. */
  unloadable(outcome: Outcome, start: Start): void
  /** It makes no sense to wait for a start any more. */
  hopeless(error: PlatformError): void
  /** Nothing is left of one that was not started. */
  left(member: Member): void
}

export class Starting {
  readonly #house: House
  readonly #home: StartingHome
  readonly #tempo: Tempo

  constructor(house: House, home: StartingHome, tempo: Tempo) {
    this.#house = house
    this.#home = home
    this.#tempo = tempo
  }

  /**
   * Begins to start a sandbox, once there is `room`, and counts its memory at once.
   * @param cell to be specialized, once it is made; without: a new one
   * @param turn over when it is started, or is not
   */
  start(room: Promise<void>, cell?: Member, turn?: Disposable): Member {
    const { clock, starter } = this.#house
    const { spec } = this.#home.version
    const state = { kind: 'starting', since: clock.monotonic(), slots: starter.slotsOf(spec) } as const
    if (cell !== undefined) this.#house.adopt(cell)
    const member = newMember(this.#home, state, spec.memoryMiB)
    this.#house.charge(member.heldMiB)
    if (cell !== undefined && cell.sandbox === undefined) {
      member.abort.signal.addEventListener('abort', () => cell.abort.abort())
    }
    void this.#bring(member, room, { generic: cell?.made, turn })
    return member
  }

  async #bring(
    member: Member,
    room: Promise<void>,
    { generic, turn }: { generic: Member['made']; turn: Disposable | undefined },
  ): Promise<void> {
    const { clock, starter } = this.#house
    this.#house.countStarting(1)
    const brought = await bring({ clock, starter, version: this.#home.version, room, generic }, member.abort.signal)
    this.#house.countStarting(-1)
    turn?.[Symbol.dispose]()
    if (brought.kind === 'ready') {
      this.#tempo.started(brought.start.startMs)
      return this.#home.started(member, brought.sandbox, brought.start)
    }
    if (brought.kind !== 'abandoned') this.#tempo.startFailed(clock.monotonic())
    if (brought.kind === 'unloadable') this.#home.unloadable(brought.outcome, brought.start)
    if (brought.kind === 'failed') this.#failed(brought.error)
    this.#home.left(member)
  }

  #failed(error: PlatformError): void {
    const { function: name, number: version } = this.#home.version
    this.#house.log.warn('a sandbox could not be started', { function: name, version, error, cause: error.cause })
    const hopeless = error.code === 'driver-unavailable' || this.#tempo.hopeless
    if (hopeless) this.#home.hopeless(notStarted(error, this.#tempo.failures))
  }
}
