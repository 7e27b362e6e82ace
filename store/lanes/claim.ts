// A queued invocation that this process holds. Insists on handing it back while Redis is away and the lease lasts.
import { type Clock, sleep } from '#core/clock'
import { PlatformError } from '#core/errors'
import type { Claim, QueuedInvocation } from '#core/queue'
import type { InvocationRecord } from '#core/record'
import type { StopSignal } from '#core/stop-signal'

import type { Doorbell } from './doorbell.ts'
import type { Lane, Taken, TakenJob } from './lane.ts'
import type { HeldLease } from './leases.ts'

/** Pause between tries, ms. */
const RETRY_MS = 200

interface ClaimContext {
  readonly lane: Lane
  readonly lease: HeldLease
  readonly doorbell: Doorbell
  readonly clock: Clock
  /** The lane has one running less, and nothing was taken instead. */
  readonly onFree: () => void
  /** False: to look for the next one would be for nothing. */
  readonly mayHaveNext: () => boolean
  /** Makes a claim of what a move takes. @param move undefined: nobody knows what it took */
  readonly claim: (move: () => Promise<Taken | undefined>) => Promise<Claim | undefined>
}

/** Its methods throw PlatformError `conflict` when the lease is lost, and `store-unavailable` when Redis stayed away. */
export class LaneClaim implements Claim {
  readonly invocation: QueuedInvocation
  readonly attempt: number
  readonly takeovers: number
  readonly lost: StopSignal
  readonly cancelled: StopSignal
  readonly #context: ClaimContext
  readonly #job: { readonly id: string; readonly token: string; readonly field: string | undefined }
  #ended = false

  constructor({ invocation, attempt, takeovers, token, field }: TakenJob, context: ClaimContext) {
    this.invocation = invocation
    this.attempt = attempt
    this.takeovers = takeovers
    this.lost = context.lease.lost
    this.cancelled = context.lease.cancelled
    this.#context = context
    this.#job = { id: invocation.id, token, field }
  }

  async complete(record?: InvocationRecord): Promise<void> {
    await this.#end(() => this.#context.lane.complete(this.#job, record))
    this.#context.onFree()
  }

  async completeAndTake(record?: InvocationRecord): Promise<Claim | undefined> {
    const { lane, claim, mayHaveNext } = this.#context
    if (!mayHaveNext()) {
      await this.complete(record)
      return undefined
    }
    return claim(() => this.#end(() => lane.completeAndTake(this.#job, record)))
  }

  async retry(delayMs: number, reason: string, changed?: Pick<QueuedInvocation, 'request' | 'cause'>): Promise<void> {
    const { lane, clock } = this.#context
    const now = clock.now()
    const next = changed && { invocation: { ...this.invocation, ...changed }, revision: this.attempt + 1 }
    await this.#end(() => lane.retry(this.#job, { now, delayMs, reason, changed: next }))
    this.#delayed(now + Math.max(1, delayMs))
  }

  async release(delayMs: number): Promise<void> {
    const { lane, doorbell, clock } = this.#context
    if (delayMs <= 0) {
      await this.#end(() => lane.putBack(this.#job))
      doorbell.declined(lane.name)
      return
    }
    const now = clock.now()
    await this.#end(() => lane.delay(this.#job, now, delayMs))
    this.#delayed(now + delayMs)
  }

  #delayed(until: number): void {
    const { doorbell, lane, onFree } = this.#context
    doorbell.ringAt(lane.name, until)
    onFree()
  }

  /** Undefined when a try that was cut off had taken effect: its result is not known. */
  async #end<T>(move: () => Promise<T>): Promise<T | undefined> {
    if (this.#ended) throw new PlatformError('internal', { detail: 'a claim was ended twice' })
    this.#ended = true
    let isOver = true
    try {
      return await this.#insist(move)
    } catch (error) {
      // Else it is refused as such, and still held: it may be ended in another way.
      isOver = error instanceof PlatformError && error.code !== 'internal'
      throw error
    } finally {
      this.#ended = isOver
      if (isOver) this.#context.lease.end()
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
