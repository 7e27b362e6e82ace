// The lanes of functions: which version is live in them, what limits they have, and whether there is room.
import type { FunctionVersion } from '#core/function'
import type { FunctionStore } from '#core/function-store'
import type { FunctionName, VersionNumber } from '#core/ids'
import type { Claim, Lanes } from '#core/queue'

import type { Dispatcher } from '#invoker/dispatcher'
import type { Admission, OpenLane, Service } from './lane-server.ts'
import { AsyncRun, type AsyncRunOptions } from './run.ts'
import type { Handover } from './slot.ts'

export interface CallsOptions extends AsyncRunOptions {
  readonly lanes: Pick<Lanes, 'add' | 'limit'>
  readonly functions: Pick<FunctionStore, 'get' | 'version'>
  readonly invoker: Pick<Dispatcher, 'invoke' | 'room'>
}

export interface CallLane extends OpenLane {
  readonly name: FunctionName
  /** What a call of it would most likely run; undefined: to be looked up; `gone`: there is no such function. */
  live: FunctionVersion | 'gone' | undefined
  /** Something in it has been seen that must not be run after a time. */
  hasExpiring: boolean
  /** Another one that calls were accepted for, the last that was looked up. */
  other: FunctionVersion | undefined
}

export class Calls implements Service<CallLane> {
  readonly #options: CallsOptions

  constructor(options: CallsOptions) {
    this.#options = options
  }

  open(lane: OpenLane): CallLane {
    return { ...lane, name: lane.name as FunctionName, live: undefined, hasExpiring: false, other: undefined }
  }

  admits({ live, pending }: CallLane): Admission {
    if (live === undefined) return 'look-up'
    // What is left is only to be written down as failed.
    if (live === 'gone') return 'yes'
    return this.#options.invoker.room(live) > pending ? 'yes' : 'no-room'
  }

  async lookUp(lane: CallLane): Promise<void> {
    const { functions, lanes } = this.#options
    const record = await functions.get(lane.name)
    const live = record && (await functions.version(lane.name, record.live))
    if (live !== undefined) {
      const { asyncConcurrency: concurrency, asyncRatePerS: ratePerS, weight } = live.spec
      lane.weight = weight
      await lanes.limit(lane.name, { concurrency, ratePerS })
    }
    lane.live = live ?? 'gone'
  }

  /** What a deploy or a removal has made old. */
  forget(lane: CallLane): void {
    lane.live = undefined
    lane.other = undefined
  }

  /** A look into it would use up some of its rate. */
  expires({ live, hasExpiring }: CallLane): boolean {
    if (typeof live !== 'object' || live.spec.asyncRatePerS > 0) return false
    return hasExpiring || live.spec.maxAgeMs > 0
  }

  run(claim: Claim, lane: CallLane, handover: Handover): Promise<Claim | undefined> {
    if (claim.invocation.expiresAt !== undefined) lane.hasExpiring = true
    const find = (): Promise<FunctionVersion | undefined> => this.#versionOf(lane, claim.invocation.version)
    return new AsyncRun(claim, this.#options, handover).run(find)
  }

  /** A call runs the version that it was accepted for. */
  async #versionOf(lane: CallLane, number: VersionNumber): Promise<FunctionVersion | undefined> {
    if (typeof lane.live === 'object' && lane.live.number === number) return lane.live
    if (lane.other?.number === number) return lane.other
    const version = await this.#options.functions.version(lane.name, number)
    if (version !== undefined) lane.other = version
    return version
  }
}
