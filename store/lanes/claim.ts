// A queued invocation that this process holds. Insists on handing it back while Redis is away and the lease lasts.
import { type Clock, sleep } from '#core/clock'
import { PlatformError } from '#core/errors'
import type { FunctionName } from '#core/ids'
import type { Claim, QueuedInvocation } from '#core/queue'

import type { Doorbell } from './doorbell.ts'
import type { Lane, Taken, TakenJob } from './lane.ts'
import type { HeldLease } from './leases.ts'
import { LARGEST_INLINE_BODY } from './queued.ts'

/** Pause between tries, ms. */
const RETRY_MS = 200

interface ClaimContext {
  readonly lane: Lane
  readonly lease: HeldLease
  readonly doorbell: Doorbell
  readonly clock: Clock
  /** Makes a claim of what a move takes. @param move undefined: nobody knows what it took */
  readonly claim: (move: () => Promise<Taken | undefined>) => Promise<Claim | undefined>
}

/** Its methods throw PlatformError `conflict` when the lease is lost, and `store-unavailable` when Redis stayed away. */
export class LaneClaim implements Claim {
  readonly invocation: QueuedInvocation
  readonly attempt: number
  readonly lost: AbortSignal
  readonly #context: ClaimContext
  readonly #token: string
  readonly #name: FunctionName
  #ended = false

  constructor({ invocation, attempt, token }: TakenJob, context: ClaimContext) {
    this.invocation = invocation
    this.attempt = attempt
    this.lost = context.lease.lost
    this.#context = context
    this.#token = token
    this.#name = invocation.function
  }

  async complete(): Promise<void> {
    await this.#end(() => this.#context.lane.complete(this.invocation.id, this.#token, this.#isBeside))
  }

  async completeAndTake(): Promise<Claim | undefined> {
    const { lane, claim } = this.#context
    return claim(() => this.#end(() => lane.completeAndTake(this.invocation.id, this.#token, this.#isBeside)))
  }

  async retry(delayMs: number, reason: string): Promise<void> {
    await this.#delay(delayMs, reason)
  }

  async release(delayMs: number): Promise<void> {
    if (delayMs > 0) return this.#delay(delayMs, undefined)
    await this.#end(() => this.#context.lane.putBack(this.invocation.id, this.#token))
    this.#context.doorbell.declined(this.#name)
  }

  get #isBeside(): boolean {
    return this.invocation.request.body.length > LARGEST_INLINE_BODY
  }

  /** @param failure why an attempt is used up; undefined: none is */
  async #delay(delayMs: number, failure: string | undefined): Promise<void> {
    const { lane, doorbell, clock } = this.#context
    const now = clock.now()
    await this.#end(() => lane.delay(this.invocation.id, this.#token, { now, delayMs, failure }))
    doorbell.ringAt(this.#name, now + Math.max(1, delayMs))
  }

  /** Undefined when a try that was cut off had taken effect: its result is not known. */
  async #end<T>(move: () => Promise<T>): Promise<T | undefined> {
    if (this.#ended) throw new PlatformError('internal', { detail: 'a claim was ended twice' })
    this.#ended = true
    try {
      return await this.#insist(move)
    } finally {
      this.#context.lease.end()
    }
  }

  async #insist<T>(move: () => Promise<T>): Promise<T | undefined> {
    for (let tries = 1; ; tries++) {
      try {
        return await move()
      } catch (error) {
        if (!(error instanceof PlatformError)) throw error
        // The try before was cut off after it had taken effect.
        if (error.code === 'conflict' && tries > 1) return undefined
        if (error.code !== 'store-unavailable' || this.lost.aborted) throw error
        await sleep(RETRY_MS, this.lost, this.#context.clock).catch(() => {})
      }
    }
  }
}
