import { PlatformError } from '#core/errors'
import type { Invocation, ResponseSink, Start } from '#core/invocation'
import type { Linked } from '#core/linked-list'
import type { Outcome } from '#core/outcome'
import type { StopSignal } from '#core/stop-signal'
import type { GuardedSandbox } from '#invoker/sandbox/guarded-sandbox'

import type { Restable } from './descend.ts'
import type { SandboxState } from './sandbox-state.ts'

/** A sandbox of a version pool, from the moment it is decided to start it. */
export interface Member extends Restable {
  readonly owner: MemberOwner
  /** Ends the start, while there is one. */
  readonly abort: AbortController
  state: SandboxState
  /** Calls at the same time that it is for. */
  readonly slots: number
  /** Slots that are lent. */
  inFlight: number
  /** A call of it is over: those that start from now on find code that has run. */
  settled: boolean
  /** What it counts with in the memory budget. */
  heldMiB: number
  deepest: Restable['deepest']
  restsFrom: number
  /** Undefined while it starts. */
  sandbox: GuardedSandbox | undefined
  /** Of a generic one: resolves when it is made, with undefined when that failed. Never rejects. */
  made: Promise<GuardedSandbox | undefined> | undefined
  /** How it came to be, while those who waited for it are served. */
  fresh: { readonly kind: Start['kind']; readonly startMs: number } | undefined
  /** Resolves when nothing of it is left. */
  readonly left: PromiseWithResolvers<void>
}

export interface MemberOwner {
  /** Ends a sandbox, whatever runs in it. Resolves when nothing of it is left. */
  dismiss(member: Member): Promise<void>
}

export function newMember(
  owner: MemberOwner,
  state: SandboxState & { readonly slots: number },
  heldMiB: number,
): Member {
  return {
    owner,
    state,
    slots: state.slots,
    abort: new AbortController(),
    inFlight: 0,
    settled: false,
    heldMiB,
    deepest: 'awake',
    restsFrom: -Infinity,
    sandbox: undefined,
    made: undefined,
    fresh: undefined,
    left: Promise.withResolvers(),
  }
}

/** How the start of a call that found a warm sandbox at once is told: the same object for all of them. */
export const WARM_START: Start = { kind: 'warm', queueMs: 0, startMs: 0 }

/**
 * A borrowed slot of a sandbox. Disposing of it gives the slot back, unless a call has been started in it: then the
 * slot comes back by itself once the code of the call is over too, which may be after its outcome.
 */
export class Lease implements Disposable, Linked<Lease> {
  before: Lease | undefined
  after: Lease | undefined
  readonly start: Start
  readonly startedAt: number
  /** It is not among the first calls of its sandbox. */
  readonly settled: boolean
  readonly #member: Member
  readonly #giveBack: (lease: Lease, member: Member) => void
  #used = false

  constructor(member: Member, start: Start, startedAt: number, giveBack: (lease: Lease, member: Member) => void) {
    this.#member = member
    this.start = start
    this.startedAt = startedAt
    this.settled = member.settled
    this.#giveBack = giveBack
  }

  /** Whether the sandbox ended before a call was started in it. */
  get stale(): boolean {
    return this.#member.sandbox?.leaving ?? true
  }

  /**
   * At most once, and not when it is stale. Resolves with the outcome as soon as there is one.
   * @throws PlatformError `internal` when the sandbox does not take the call; the slot must then still be given back
   */
  invoke(invocation: Invocation, sink: ResponseSink, signal: StopSignal): Promise<Outcome> {
    const { sandbox } = this.#member
    if (this.#used || sandbox === undefined) throw new PlatformError('internal', { detail: 'a lease is for one call' })
    const outcome = sandbox.invoke(invocation, sink, signal, () => this.#giveBack(this, this.#member))
    this.#used = true
    return outcome
  }

  [Symbol.dispose](): void {
    if (!this.#used) this.#giveBack(this, this.#member)
  }
}

/** What a call gets that asked for a sandbox. */
export type Admission =
  | { readonly kind: 'lease'; readonly lease: Lease }
  /** No sandbox can run this code, and the code is to blame. */
  | { readonly kind: 'unloadable'; readonly outcome: Outcome; readonly start: Start }
