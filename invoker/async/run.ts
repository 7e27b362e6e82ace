// One attempt of one queued invocation: run it, write down what came of it, and hand the claim back accordingly.
import type { Clock } from '#core/clock'
import type { DeadLetters } from '#core/dead-letter'
import { asPlatformError } from '#core/errors'
import type { FunctionVersion } from '#core/function'
import type { FunctionName } from '#core/ids'
import type { Invocation } from '#core/invocation'
import type { Completion, Invoker } from '#core/invoker'
import type { Claim, Lanes, QueuedInvocation } from '#core/queue'
import type { Attempt, InvocationRecord, RecordError, RecordResult, RecordState, RecordStore } from '#core/record'
import { follow, StopSource } from '#core/stop-signal'

import type { Log } from '#invoker/log'
import { accountOf, inputOf, isFinal, priorAttempts, type Progress } from './account.ts'
import { checkHeld, insist } from './insist.ts'
import { failedEvents, withOnly } from './partial-batch.ts'
import { ResponseCollector } from './response-collector.ts'
import { type AttemptResult, judge, type Verdict } from './retry.ts'
import { settle, tell } from './settle.ts'
import type { Handover } from './slot.ts'

export interface AsyncRunOptions {
  readonly invoker: Pick<Invoker, 'invoke'>
  readonly records: RecordStore
  readonly deadLetters: DeadLetters
  readonly lanes: Pick<Lanes, 'add'>
  readonly clock: Clock
  readonly log: Log
  /** Of a response in a record, and of an input; a larger body is counted and not kept. */
  readonly maxResultBytes: number
  /** Told of every attempt that a sandbox had, for metrics. */
  readonly onCompletion: (name: FunctionName, completion: Completion) => void
  /** Told of every final record when it is durable, for metrics. */
  readonly onEnd?: (record: InvocationRecord) => void
}

/** After so many processes have ended while they ran it, it is held to be the cause, and given up. */
const MAX_TAKEOVERS = 10
/** When something unexpected happened, ms. */
const LATER_MS = 5000
/** The response to a batch is looked into up to this size, whatever a record keeps. */
const BATCH_RESPONSE_BYTES = 1024 * 1024
/** A run that is over by then is not written down as running: nobody would see it, and it costs as much as its end. */
const SHOWN_AFTER_MS = 20
/** The pool lets nothing wait for longer. */
const LONGEST_WAIT_MS = 3_600_000
/** Why a call that waits for room is stopped. */
const EXPIRED = Symbol('expired')
const CANCELLED: RecordError = { code: 'cancelled', message: 'the call was cancelled' }

export class AsyncRun {
  readonly #claim: Claim
  readonly #options: AsyncRunOptions
  readonly #handover: Handover
  /** As it was found after a takeover, or before a later attempt. */
  #found: InvocationRecord | undefined
  /** As it is to be saved with the end of the claim. */
  #final: InvocationRecord | undefined

  constructor(claim: Claim, options: AsyncRunOptions, handover: Handover) {
    this.#claim = claim
    this.#options = options
    this.#handover = handover
  }

  /**
   * Never rejects.
   * @param find the version that it is to run; undefined: it is gone
   * @returns the next one of the lane, when one was wanted and there was one
   */
  async run(find: () => Promise<FunctionVersion | undefined>): Promise<Claim | undefined> {
    try {
      if (await this.#isSettled(find)) return await this.#complete()
      return await this.#serve(find)
    } catch (error) {
      // Whoever has taken over goes on from what is durable.
      if (this.#claim.lost.aborted) return undefined
      const { id, function: name } = this.#claim.invocation
      this.#options.log.warn('an async invocation could not be served', { id, function: name, error })
      // Without effect when it was the end of the claim itself that failed.
      await this.#claim.release(LATER_MS).catch(() => {})
      return undefined
    }
  }

  /** Whether it was over before this process has taken it. Only a takeover can find that. */
  async #isSettled(find: () => Promise<FunctionVersion | undefined>): Promise<boolean> {
    const { attempt, takeovers, invocation } = this.#claim
    const { records, deadLetters } = this.#options
    if (attempt > 1 || takeovers > 0) this.#found = await this.#insist(() => records.get(invocation.id))
    if (takeovers === 0) return false
    if (this.#found !== undefined && isFinal(this.#found.state)) {
      await tell(this.#claim, this.#found, this.#options)
      return true
    }
    const letter = await this.#insist(() => deadLetters.get(invocation.function, invocation.id))
    if (letter === undefined) return false
    const { state, error, at } = letter
    const prior = (this.#found?.attempts ?? []).map((each) =>
      each.finishedAt === undefined ? { ...each, state, error, finishedAt: at } : each,
    )
    // Of one that was over soon, the record may know nothing yet.
    const last = { number: letter.attempts, startedAt: at, finishedAt: at, state, error }
    const progress = prior.length < letter.attempts ? { prior, current: last } : { prior }
    const account = accountOf(this.#claim, letter.invocation, state, progress)
    const record = { ...account, ...this.#input(letter.invocation), finishedAt: at, error }
    const version = await this.#insist(find)
    this.#final = await settle(
      this.#claim,
      { invocation: letter.invocation, record, spec: version?.spec },
      this.#options,
    )
    return true
  }

  async #serve(find: () => Promise<FunctionVersion | undefined>): Promise<Claim | undefined> {
    const { takeovers, cancelled, invocation } = this.#claim
    const { function: name, version: number, expiresAt = Infinity } = invocation
    const version = await this.#insist(find)
    if (cancelled.aborted) return this.#endCancelled(version)
    if (this.#mayExpire && this.#options.clock.now() >= expiresAt) return this.#expire(version)
    if (version === undefined) {
      const message = `the function ${JSON.stringify(name)} or its version ${number} was removed before the call ran`
      return this.#endBefore(version, 'failed', { code: 'function-not-found', message })
    }
    if (takeovers >= MAX_TAKEOVERS) {
      const message = `${takeovers} processes ended while they ran it`
      return this.#endBefore(version, 'failed', { code: 'internal', message })
    }
    if (!this.#handover.onlyIfOver) return this.#attempt(version)
    await this.#claim.release(0)
    return undefined
  }

  async #attempt(version: FunctionVersion): Promise<Claim | undefined> {
    const { clock, records, maxResultBytes } = this.#options
    const { attempt: number, lost, cancelled, invocation } = this.#claim
    const prior = priorAttempts(this.#found, number)
    let current: Attempt = { number, startedAt: clock.now(), state: 'running' }
    const call = this.#call(version)
    const signal = new StopSource()
    using timers = new DisposableStack()
    const expiry = timers.use(this.#expiry(signal))
    const onStart = (): void => {
      expiry[Symbol.dispose]()
      const write = (): void => records.write(accountOf(this.#claim, invocation, 'running', { prior, current }))
      timers.use(clock.after(SHOWN_AFTER_MS, write))
    }
    const isBatch = (invocation.cause.events?.length ?? 0) > 0
    const maxBodyBytes = isBatch ? Math.max(maxResultBytes, BATCH_RESPONSE_BYTES) : maxResultBytes
    const collector = new ResponseCollector(call, { records, maxBodyBytes, onStart })
    for (const each of [lost, cancelled, this.#handover.stop]) follow(signal, each)
    let result: AttemptResult
    try {
      const running = this.#options.invoker.invoke(call, collector, signal)
      this.#handover.started()
      const completion = await running
      this.#options.onCompletion(version.function, completion)
      current = { ...current, start: completion.start.kind, timings: completion.timings }
      result = { kind: 'outcome', outcome: completion.outcome }
    } catch (thrown) {
      result = { kind: 'refused', error: asPlatformError(thrown) }
    }
    timers.dispose()
    this.#handover.ran()
    checkHeld(lost)
    if (signal.reason === EXPIRED) return this.#expire(version)
    return this.#conclude(version, result, { prior, current, response: collector.result() })
  }

  async #conclude(
    version: FunctionVersion,
    result: AttemptResult,
    { prior, current, response }: Progress & { current: Attempt; response: RecordResult | undefined },
  ): Promise<Claim | undefined> {
    const { attempt, cancelled, invocation } = this.#claim
    const isAnswered = result.kind === 'outcome' && result.outcome.kind === 'responded'
    if (!isAnswered && cancelled.aborted)
      return this.#end(version, invocation, { prior, current }, { state: 'cancelled', error: CANCELLED })
    if (!isAnswered && this.#handover.stop.aborted) return this.#release({ prior, current }, 0)
    const events = invocation.cause.events ?? []
    const left = isAnswered && response !== undefined ? failedEvents(events, response) : undefined
    const changed = left === undefined ? undefined : withOnly(invocation, left)
    const told =
      left === undefined ? result : ({ kind: 'partly-failed', failed: left.length, of: events.length } as const)
    const verdict = judge(told, { attempt, retry: invocation.retry }, Math.random())
    if (verdict.kind === 'release') return this.#release({ prior, current }, verdict.delayMs)
    if (verdict.kind === 'retry') return this.#retry(verdict, { prior, current }, changed)
    return this.#end(version, { ...invocation, ...changed }, { prior, current }, { ...verdict, response })
  }

  /** The attempt stays in the record, to be made again: the store takes a record with fewer attempts for an older one. */
  async #release({ prior, current }: Progress & { current: Attempt }, delayMs: number): Promise<undefined> {
    const progress = { prior, current: { ...current, state: 'queued' } as const }
    this.#options.records.write(accountOf(this.#claim, this.#claim.invocation, 'queued', progress))
    await this.#claim.release(delayMs)
  }

  async #retry(
    { state, error, delayMs }: Verdict & { readonly kind: 'retry' },
    { prior, current }: Progress & { current: Attempt },
    changed: Pick<QueuedInvocation, 'request' | 'cause'> | undefined,
  ): Promise<undefined> {
    const now = this.#options.clock.now()
    const progress = { prior, current: { ...current, finishedAt: now, state, error } }
    const account = accountOf(this.#claim, { ...this.#claim.invocation, ...changed }, 'queued', progress)
    // Durable before it is let go: the next attempt, maybe elsewhere and soon, goes on from what it finds.
    await this.#insist(() => this.#options.records.save({ ...account, notBefore: now + delayMs }))
    await this.#claim.retry(delayMs, error.message, changed)
  }

  /** It has never run, as far as anybody can tell. */
  get #mayExpire(): boolean {
    return this.#claim.attempt === 1 && this.#claim.takeovers === 0
  }

  /** Stops it when it waits for room for too long. */
  #expiry(stop: StopSource): Disposable {
    const { clock } = this.#options
    const { expiresAt = Infinity } = this.#claim.invocation
    const leftMs = expiresAt - clock.now()
    if (leftMs > LONGEST_WAIT_MS || !this.#mayExpire) return { [Symbol.dispose]: () => {} }
    return clock.after(leftMs, () => stop.abort(EXPIRED))
  }

  #expire(version: FunctionVersion | undefined): Promise<Claim | undefined> {
    const { expiresAt = 0, acceptedAt } = this.#claim.invocation
    const message = `it could not start within ${expiresAt - acceptedAt} ms of being accepted`
    return this.#endBefore(version, 'expired', { code: 'wait-timed-out', message })
  }

  /** Whoever has cancelled it may have written that down, and ended before it was out of the lane. */
  async #endCancelled(version: FunctionVersion | undefined): Promise<Claim | undefined> {
    const { id } = this.#claim.invocation
    this.#found ??= await this.#insist(() => this.#options.records.get(id))
    if (this.#found?.state === 'cancelled') return this.#complete()
    return this.#endBefore(version, 'cancelled', CANCELLED)
  }

  /** Without an attempt of this process. Those that are in the record stay: of refusals, and of processes that ended. */
  async #endBefore(
    version: FunctionVersion | undefined,
    state: RecordState,
    error: RecordError,
  ): Promise<Claim | undefined> {
    const { attempt, invocation } = this.#claim
    this.#found ??= await this.#insist(() => this.#options.records.get(invocation.id))
    const prior = priorAttempts(this.#found, attempt + 1).map((each) =>
      each.state === 'queued' ? { ...each, state, error } : each,
    )
    return this.#end(version, invocation, { prior }, { state, error })
  }

  async #end(
    version: FunctionVersion | undefined,
    invocation: QueuedInvocation,
    { prior, current }: Progress,
    ending: { state: RecordState; error: RecordError | undefined; response?: RecordResult | undefined },
  ): Promise<Claim | undefined> {
    const { state, error } = ending
    const finishedAt = this.#options.clock.now()
    const failure = error === undefined ? {} : { error }
    const progress =
      current === undefined ? { prior } : { prior, current: { ...current, finishedAt, state, ...failure } }
    const record = {
      ...accountOf(this.#claim, invocation, state, progress),
      finishedAt,
      ...(ending.response === undefined ? {} : { result: this.#kept(ending.response) }),
      ...failure,
      ...this.#input(invocation),
    }
    this.#final = await settle(this.#claim, { invocation, record, spec: version?.spec }, this.#options)
    return this.#complete()
  }

  async #complete(): Promise<Claim | undefined> {
    const takesNext = this.#handover.wantsNext()
    const next = await (takesNext ? this.#claim.completeAndTake(this.#final) : this.#claim.complete(this.#final))
    if (this.#final !== undefined) this.#options.onEnd?.(this.#final)
    return next ?? undefined
  }

  #insist<T>(step: () => Promise<T>): Promise<T> {
    return insist(step, this.#claim.lost, this.#options.clock)
  }

  /** What was read for the sake of a batch may be more than a record keeps. */
  #kept({ body, bodyEncoding, ...rest }: RecordResult): RecordResult {
    if (body === undefined || bodyEncoding === undefined || rest.bodyBytes > this.#options.maxResultBytes) return rest
    return { ...rest, body, bodyEncoding }
  }

  #input(invocation: QueuedInvocation): Pick<InvocationRecord, 'input'> {
    const input = inputOf(invocation, this.#options.maxResultBytes)
    return input === undefined ? {} : { input }
  }

  #call(version: FunctionVersion): Invocation {
    const { id, request, acceptedAt, trigger } = this.#claim.invocation
    return { id, version, trigger, request, attempt: this.#claim.attempt, acceptedAt }
  }
}
