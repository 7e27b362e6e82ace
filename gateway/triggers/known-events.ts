// Which events of a trigger were queued before: those whose source gives them a stable key. Knows neither lanes' rules
// nor sources.
//
// The key of an event holds the id of its invocation from before that is queued until it is. Whoever finds a key that was
// left in between looks for that invocation: it was queued if it has begun or is in its lane.
import { createHash } from 'node:crypto'

import type { Begun, IdempotencyKey, IdempotencyStore } from '#core/idempotency'
import { parseDigest, type Digest, type FunctionName, type InvocationId, type TriggerName } from '#core/ids'
import type { Lanes } from '#core/queue'
import type { InvocationRecord, RecordStore } from '#core/record'

import { eventToJson } from '../cloud-events/json.ts'
import type { ReceivedEvent } from '../sources/source.ts'

/** Nobody asks what the answer was. */
const DONE = { status: 202, headers: [], body: new Uint8Array(0) } as const

export interface KnownEventsDeps {
  readonly idempotency: IdempotencyStore
  readonly records: Pick<RecordStore, 'get'>
  readonly lanes: Pick<Lanes, 'has'>
}

/** An event that is about to be queued. */
export interface Candidate {
  readonly received: ReceivedEvent
  /** What it would be queued as. */
  readonly invocation: InvocationId
}

export class KnownEvents {
  readonly #deps: KnownEventsDeps
  readonly #trigger: TriggerName
  readonly #function: FunctionName

  constructor(deps: KnownEventsDeps, trigger: TriggerName, name: FunctionName) {
    this.#deps = deps
    this.#trigger = trigger
    this.#function = name
  }

  /**
   * Whether each is known; those that are not are the caller's, who ends with `queued` or `notQueued` for each.
   * Waits for other processes that are queueing the same events now.
   * @throws PlatformError `store-unavailable`; nothing is then the caller's
   */
  async begin(candidates: readonly Candidate[], signal: AbortSignal): Promise<readonly boolean[]> {
    const keyed = candidates.flatMap((candidate, index) => {
      const key = this.#keyOf(candidate.received)
      return key === undefined ? [] : [{ index, candidate, key }]
    })
    const known = candidates.map(() => false)
    if (keyed.length === 0) return known
    const begun = await this.#deps.idempotency.beginMany(
      keyed.map(({ key, candidate }) => ({ ...key, invocation: candidate.invocation })),
    )
    const seen = new Set<string>()
    for (const [position, { index, candidate, key }] of keyed.entries()) {
      // The same event twice in one go: the other one is being queued by the caller.
      const isTwin = seen.has(key.key.key)
      seen.add(key.key.key)
      const found = begun[position] as Begun
      known[index] = isTwin || (await this.#isKnown(found, { ...key, invocation: candidate.invocation }, signal))
    }
    return known
  }

  /** It is in its lane. When that cannot be noted, the next one with the key finds the invocation. */
  async queued({ received }: Candidate): Promise<void> {
    const key = this.#keyOf(received)
    if (key !== undefined) await this.#deps.idempotency.finish(key.key, DONE).catch(() => {})
  }

  /**
   * @param mayBe whether it may be in its lane all the same
   * @returns whether its key is free; else another one may go on with the invocation
   */
  async notQueued({ received }: Candidate, mayBe: boolean): Promise<boolean> {
    const key = this.#keyOf(received)
    if (key === undefined) return true
    const { idempotency } = this.#deps
    if (!mayBe) return idempotency.abandon(key.key).catch(() => false)
    await idempotency.doubt(key.key).catch(() => {})
    return false
  }

  async #isKnown(found: Begun, item: Begin, signal: AbortSignal): Promise<boolean> {
    switch (found.kind) {
      case 'done':
        return true
      case 'running': {
        // Of a process that died it stays so until its lease is over: no need to wait for what is queued.
        if (await this.#isQueued(found.invocation)) return true
        const { key, fingerprint, invocation } = item
        return this.#isKnown(await this.#deps.idempotency.settled(key, fingerprint, invocation, signal), item, signal)
      }
      case 'first':
        return found.before !== undefined && (await this.#wasQueued(found.before, item))
      case 'mismatch':
        throw new Error('the fingerprint of an event is part of its key')
      default:
        return found satisfies never
    }
  }

  /** The key was left in between: by a process that died, or with a doubt. */
  async #wasQueued(before: InvocationId, { key, fingerprint, invocation }: Begin): Promise<boolean> {
    const { idempotency } = this.#deps
    if (await this.#isQueued(before)) {
      await idempotency.finish(key, DONE)
      return true
    }
    // From now on the key is about another invocation.
    await idempotency.abandon(key)
    await idempotency.begin(key, fingerprint, invocation)
    return false
  }

  async #isQueued(id: InvocationId): Promise<boolean> {
    const { records, lanes } = this.#deps
    // Once more at the end, for it may have left its lane meanwhile.
    return hasBegun(await records.get(id)) || (await lanes.has(this.#function, id)) || hasBegun(await records.get(id))
  }

  /**
   * Undefined: the source has none. The content is part of it: a stream that was made anew counts from 1 again, and its
   * events are not the ones from before.
   */
  #keyOf({ key, event, content }: ReceivedEvent): Omit<Begin, 'invocation'> | undefined {
    if (key === undefined) return undefined
    const fingerprint = parseDigest(
      createHash('sha256')
        .update(`${key}\n${content ?? eventToJson(event)}`)
        .digest('hex'),
    )
    return { key: { scope: `trg:${this.#trigger}`, key: fingerprint }, fingerprint }
  }
}

interface Begin {
  readonly key: IdempotencyKey
  readonly fingerprint: Digest
  readonly invocation: InvocationId
}

function hasBegun(record: InvocationRecord | undefined): boolean {
  return record !== undefined && (record.state !== 'queued' || record.attempts.length > 0)
}
