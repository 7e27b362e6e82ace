// The way of an event from its source into the lane: filter, wait for a batch and for room, queue. START HERE for what
// `accept` of a source promises.
import { sleep, type Clock } from '#core/clock'
import { asPlatformError } from '#core/errors'
import { compileFilter, type Matcher } from '#core/filter'
import type { Trigger } from '#core/trigger'

import type { ReceivedEvent } from '../sources/source.ts'
import type { Refusal } from '../accept/accept.ts'
import { stopping, type Batch, type Prepared, type Queueing } from './queueing.ts'
import type { Tally } from './tally.ts'
import type { UnderWay } from './under-way.ts'

/** Invocations that are queued in one go. */
const MAX_GROUP = 100
const FIRST_RETRY_MS = 250
const LONGEST_RETRY_MS = 10_000

export interface IntakeParts {
  readonly trigger: Trigger
  readonly queueing: Queueing
  readonly underWay: UnderWay
  readonly tally: Tally
  readonly clock: Clock
  /**
   * Whether to go on until an event is queued: for sources that can wait. Otherwise a failure is the answer, and whoever
   * sent the event tries again.
   */
  readonly persistent: boolean
  /** Of the data of all events of a batch. */
  readonly maxBatchBytes: number
  /** Told why events cannot be queued now; undefined: they can again. */
  readonly onTrouble: (reason: string | undefined) => void
}

/** The events of one opening of a source. Disposing rejects those that still wait: their broker delivers them again. */
export interface IntakeSession extends Disposable {
  accept(received: ReceivedEvent): Promise<boolean>
}

interface Waiting {
  readonly received: ReceivedEvent
  /** Undefined: it came over HTTP. */
  readonly session: IntakeSession | undefined
  readonly since: number
  readonly resolve: () => void
  readonly reject: (error: unknown) => void
}

/** Disposing lets what is being queued finish and rejects what waits. */
export class Intake implements AsyncDisposable {
  readonly #parts: IntakeParts
  readonly #matches: Matcher | undefined
  readonly #closed = new AbortController()
  #waiting: Waiting[] = []
  #scheduled = false
  #window: Disposable | undefined
  #queueing: Promise<void> | undefined

  constructor(parts: IntakeParts) {
    this.#parts = parts
    const { filter } = parts.trigger.spec
    this.#matches = filter === undefined ? undefined : compileFilter(filter)
  }

  session(): IntakeSession {
    let isClosed = false
    const session: IntakeSession = {
      accept: (received) => (isClosed ? Promise.reject(stopping()) : this.accept(received, session)),
      [Symbol.dispose]: () => {
        isClosed = true
        this.#withdraw(session)
      },
    }
    return session
  }

  /** The contract is that of SourceContext.accept. Returns whether the event matched the filter. */
  async accept(received: ReceivedEvent, session?: IntakeSession): Promise<boolean> {
    if (this.#closed.signal.aborted) throw stopping()
    const { tally, clock } = this.#parts
    tally.add('received')
    if (received.redelivered === true) tally.add('redelivered')
    if (this.#matches?.(received.event) === false) return false
    tally.add('matched')
    const { promise, resolve, reject } = Promise.withResolvers<void>()
    this.#waiting.push({ received, session, since: clock.monotonic(), resolve, reject })
    this.#schedule()
    await promise
    return true
  }

  /** There is room again. */
  wake(): void {
    this.#schedule()
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#closed.abort(stopping())
    this.#window?.[Symbol.dispose]()
    for (const { reject } of this.#waiting.splice(0)) reject(stopping())
    await this.#queueing
  }

  #withdraw(session: IntakeSession): void {
    const withdrawn = this.#waiting.filter((waiting) => waiting.session === session)
    this.#waiting = this.#waiting.filter((waiting) => waiting.session !== session)
    for (const { reject } of withdrawn) reject(stopping())
  }

  /** At the end of this turn of the event loop, so that events that come together go together. */
  #schedule(): void {
    if (this.#scheduled) return
    this.#scheduled = true
    setImmediate(() => {
      this.#scheduled = false
      this.#pump()
    })
  }

  #pump(): void {
    if (this.#queueing !== undefined || this.#closed.signal.aborted) return
    const batches = this.#takeBatches()
    if (batches.length === 0) return
    this.#queueing = this.#queue(batches).finally(() => {
      this.#queueing = undefined
      this.#schedule()
    })
  }

  /** As many as are complete, or have waited long enough, and have room. */
  #takeBatches(): readonly (readonly Waiting[])[] {
    const { trigger, underWay, clock } = this.#parts
    const { batchWindowMs } = trigger.spec
    const batches: (readonly Waiting[])[] = []
    this.#window?.[Symbol.dispose]()
    const most = Math.min(underWay.room, MAX_GROUP)
    while (batches.length < most && this.#waiting.length > 0) {
      const [first] = this.#waiting
      const waitedMs = first === undefined ? 0 : clock.monotonic() - first.since
      const { count, isFull } = this.#nextBatch()
      if (!isFull && waitedMs < batchWindowMs) {
        this.#window = clock.after(batchWindowMs - waitedMs, () => this.#schedule())
        break
      }
      batches.push(this.#waiting.splice(0, count))
    }
    return batches
  }

  /** How many of those that wait go together; an event that is too large by itself goes alone. */
  #nextBatch(): { readonly count: number; readonly isFull: boolean } {
    const { trigger, maxBatchBytes } = this.#parts
    const count = Math.min(trigger.spec.batchSize, this.#waiting.length)
    let bytes = 0
    for (const [index, { received }] of this.#waiting.slice(0, count).entries()) {
      bytes += received.event.data.length
      if (index > 0 && bytes > maxBatchBytes) return { count: index, isFull: true }
    }
    return { count, isFull: count === trigger.spec.batchSize }
  }

  /** Never rejects: each event is told. */
  async #queue(batches: readonly (readonly Waiting[])[]): Promise<void> {
    let outcomes: readonly unknown[]
    try {
      outcomes = await this.#addAll(await this.#prepare(batches.map((batch) => batch.map(({ received }) => received))))
    } catch (error) {
      outcomes = batches.map(() => error)
    }
    for (const [index, batch] of batches.entries()) {
      const error = outcomes[index]
      for (const { resolve, reject } of batch)
        if (error === undefined) resolve()
        else reject(error)
    }
  }

  async #prepare(batches: readonly Batch[]): Promise<readonly Prepared[]> {
    const { queueing, persistent } = this.#parts
    for (let retries = 0; ; retries++) {
      try {
        return await queueing.prepare(batches, this.#closed.signal)
      } catch (error) {
        if (!persistent) throw error
        await this.#pauseFor(error, retries)
      }
    }
  }

  /** One outcome each: undefined, or why it is not queued. */
  async #addAll(prepared: readonly Prepared[]): Promise<readonly unknown[]> {
    const { queueing, persistent, underWay } = this.#parts
    for (const { id, invocation } of prepared) if (invocation !== undefined) underWay.begin(id)
    const refusals = new Map<Prepared, Refusal>()
    let left = prepared
    for (let retries = 0; left.length > 0; retries++) {
      const answers = await queueing.add(left)
      for (const [index, each] of left.entries()) this.#noteAnswer(refusals, each, answers[index])
      left = [...refusals.keys()]
      const [first] = refusals.values()
      if (first === undefined) this.#parts.onTrouble(undefined)
      else if (!persistent || this.#closed.signal.aborted) break
      else await this.#pauseFor(first.error, retries).catch(() => {})
    }
    for (const [each, refusal] of refusals) {
      underWay.end(each.id)
      await queueing.giveUp(each, refusal)
    }
    const [anyRefusal] = refusals.values()
    // An event that was known may be known for its twin in a batch that was refused: whoever sent it is to try again.
    return prepared.map((each) => refusals.get(each)?.error ?? (each.known > 0 ? anyRefusal?.error : undefined))
  }

  #noteAnswer(refusals: Map<Prepared, Refusal>, prepared: Prepared, refusal: Refusal | undefined): void {
    if (refusal !== undefined) {
      refusals.set(prepared, refusal)
      return
    }
    refusals.delete(prepared)
    const { tally } = this.#parts
    tally.add('redelivered', prepared.unannounced)
    if (prepared.invocation !== undefined) tally.add('invocations')
  }

  /** @throws the reason when the trigger stops */
  async #pauseFor(error: unknown, retries: number): Promise<void> {
    this.#parts.onTrouble(asPlatformError(error).message)
    const ms = Math.min(LONGEST_RETRY_MS, FIRST_RETRY_MS * 2 ** retries)
    await sleep(ms, this.#closed.signal, this.#parts.clock)
  }
}
