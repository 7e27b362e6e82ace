// Batches of events into invocations in the lane of a function, each event once. Decides nothing about when.
import { PlatformError } from '#core/errors'
import type { FunctionVersion } from '#core/function'
import { newInvocationId, type FunctionName, type InvocationId } from '#core/ids'
import type { QueuedInvocation } from '#core/queue'
import type { Trigger } from '#core/trigger'

import { acceptMany, putDown, type AcceptDeps, type Refusal } from '../accept/accept.ts'
import { queuedInvocation } from '../accept/queued.ts'
import { hopsOfEvents } from '../destinations/told-event.ts'
import type { ReceivedEvent } from '../sources/source.ts'
import { KnownEvents, type Candidate, type KnownEventsDeps } from './known-events.ts'
import { requestOf } from './request.ts'

export interface QueueingDeps extends AcceptDeps, Omit<KnownEventsDeps, 'lanes' | 'records'> {
  /** The live version. @throws PlatformError `function-not-found`, `store-unavailable` */
  resolve(name: FunctionName): FunctionVersion | Promise<FunctionVersion>
}

export type Batch = readonly ReceivedEvent[]

/** A batch whose new events are this process's to queue. */
export interface Prepared {
  readonly id: InvocationId
  /** Undefined: all its events were known. */
  readonly invocation: QueuedInvocation | undefined
  /** Events that were known. */
  readonly known: number
  /** Those of them that the source did not call a redelivery. */
  readonly unannounced: number
  readonly candidates: readonly Candidate[]
}

export class Queueing {
  readonly #deps: QueueingDeps
  readonly #trigger: Trigger
  readonly #knownEvents: KnownEvents

  constructor(deps: QueueingDeps, trigger: Trigger) {
    this.#deps = deps
    this.#trigger = trigger
    this.#knownEvents = new KnownEvents(deps, trigger.name, trigger.spec.function)
  }

  /**
   * One answer each, in order; every one goes on to `add`, or to `giveUp`.
   * @throws PlatformError `function-not-found`, `store-unavailable`; nothing is then begun
   */
  async prepare(batches: readonly Batch[], signal: AbortSignal): Promise<readonly Prepared[]> {
    const version = await this.#deps.resolve(this.#trigger.spec.function)
    const drafts = batches.map((batch) => {
      const id = newInvocationId()
      return { id, candidates: batch.map((received): Candidate => ({ received, invocation: id })) }
    })
    const all = drafts.flatMap(({ candidates }) => candidates)
    const known = new Set(await this.#known(all, signal))
    return drafts.map(({ id, candidates }) => {
      const fresh = candidates.filter((candidate) => !known.has(candidate))
      const invocation = fresh.length === 0 ? undefined : this.#invocation(id, version, fresh)
      const old = candidates.filter((candidate) => known.has(candidate))
      const unannounced = old.filter(({ received }) => received.redelivered !== true).length
      return { id, invocation, known: old.length, unannounced, candidates: fresh }
    })
  }

  /** One answer each, in order: undefined when it is in the lane, durably, or had nothing to add. */
  async add(prepared: readonly Prepared[]): Promise<readonly (Refusal | undefined)[]> {
    const withInvocation = prepared.filter(({ invocation }) => invocation !== undefined)
    const refusals = await acceptMany(
      this.#deps,
      withInvocation.map(({ invocation }) => invocation as QueuedInvocation),
    )
    const refused = new Map(withInvocation.map(({ id }, index) => [id, refusals[index]]))
    const added = withInvocation.filter(({ id }) => refused.get(id) === undefined)
    await Promise.all(
      added.flatMap(({ candidates }) => candidates.map((candidate) => this.#knownEvents.queued(candidate))),
    )
    return prepared.map(({ id }) => refused.get(id))
  }

  /** What could not be added will not be tried again by this process. */
  async giveUp({ invocation, candidates }: Prepared, refusal: Refusal): Promise<void> {
    const { mayRun } = refusal
    const freed = await Promise.all(candidates.map((candidate) => this.#knownEvents.notQueued(candidate, mayRun)))
    // Last: whoever finds a key that is left behind takes an invocation that is over for one that was queued.
    if (invocation !== undefined && !mayRun && freed.every(Boolean)) putDown(this.#deps, invocation, refusal)
  }

  async #known(candidates: readonly Candidate[], signal: AbortSignal): Promise<readonly Candidate[]> {
    try {
      const known = await this.#knownEvents.begin(candidates, signal)
      return candidates.filter((_, index) => known[index])
    } catch (error) {
      // Some may have been begun.
      await Promise.all(candidates.map((candidate) => this.#knownEvents.notQueued(candidate, true)))
      throw error
    }
  }

  #invocation(id: InvocationId, version: FunctionVersion, candidates: readonly Candidate[]): QueuedInvocation {
    const { name, spec } = this.#trigger
    const events = candidates.map(({ received }) => received.event)
    const hops = hopsOfEvents(events)
    const submission = {
      version,
      request: requestOf(spec, events),
      options: { notBefore: undefined, maxAgeMs: spec.maxAgeMs, priority: 0, retry: spec.retry },
      trigger: 'event',
      cause: {
        trigger: name,
        events: events.map(({ attributes }) => attributes.id),
        ...(hops === 0 ? {} : { hops }),
      },
    } as const
    return { ...queuedInvocation(submission, this.#deps.clock.now()), id }
  }
}

/** What a refusal without an answer of the store is. */
export function stopping(): PlatformError {
  return new PlatformError('shutting-down', { detail: 'the trigger is stopping', retryAfterS: 1 })
}
