// One attempt of one queued invocation: run it, write down what came of it, and hand the claim back accordingly.
import type { Clock } from '#core/clock'
import { asPlatformError } from '#core/errors'
import type { FunctionVersion } from '#core/function'
import type { FunctionName } from '#core/ids'
import type { Invocation } from '#core/invocation'
import type { Completion, Invoker } from '#core/invoker'
import type { Claim } from '#core/queue'
import type { Attempt, InvocationRecord, RecordResult, RecordStore } from '#core/record'

import type { Log } from './log.ts'
import { ResponseCollector } from './response-collector.ts'
import { type AttemptResult, judge, type Verdict } from './retry.ts'

export interface AsyncRunOptions {
  readonly invoker: Pick<Invoker, 'invoke'>
  readonly records: RecordStore
  readonly clock: Clock
  readonly log: Log
  /** Of a response in a record; a larger body is counted and not kept. */
  readonly maxResultBytes: number
  /** Told of every attempt that a sandbox had, for metrics. */
  readonly onCompletion: (name: FunctionName, completion: Completion) => void
}

/** Asked and told on the way by whoever serves the lane. */
export interface Handover {
  /** The sandbox is done: what is left is to write down what came of it. */
  ran(): void
  /** Whether another one is to be taken along when this one is handed back. */
  wantsNext(): boolean
}

/** What is known of the attempt so far. */
interface Progress {
  readonly prior: readonly Attempt[]
  readonly current: Attempt
}

export class AsyncRun {
  readonly #claim: Claim
  readonly #options: AsyncRunOptions
  readonly #handover: Handover

  constructor(claim: Claim, options: AsyncRunOptions, handover: Handover) {
    this.#claim = claim
    this.#options = options
    this.#handover = handover
  }

  /**
   * Never rejects. Whatever goes wrong with the claim itself is logged: then its lease ends and another process runs it.
   * @param version undefined: it is gone
   * @param stop aborts when the process can wait no longer: the invocation goes back into its lane
   * @returns the next one of the lane, when one was wanted and there was one
   */
  async run(version: FunctionVersion | undefined, stop: AbortSignal): Promise<Claim | undefined> {
    try {
      return await (version === undefined ? this.#gone() : this.#attempt(version, stop))
    } catch (error) {
      if (this.#claim.lost.aborted) return undefined
      this.#options.log.warn('an async invocation could not be handed back', { id: this.#claim.invocation.id, error })
      return undefined
    }
  }

  async #attempt(version: FunctionVersion, stop: AbortSignal): Promise<Claim | undefined> {
    const { clock, records, maxResultBytes } = this.#options
    const { attempt: number, lost } = this.#claim
    const prior = await this.#priorAttempts()
    let current: Attempt = { number, startedAt: clock.now(), state: 'running' }
    const invocation = this.#invocation(version)
    const onStart = (): void => records.write(this.#record('running', { prior, current }))
    const collector = new ResponseCollector(invocation, { records, maxBodyBytes: maxResultBytes, onStart })
    const signal = AbortSignal.any([lost, stop])
    let result: AttemptResult
    try {
      const completion = await this.#options.invoker.invoke(invocation, collector, signal)
      this.#options.onCompletion(version.function, completion)
      current = { ...current, start: completion.start.kind, timings: completion.timings }
      result = { kind: 'outcome', outcome: completion.outcome }
    } catch (thrown) {
      result = { kind: 'refused', error: asPlatformError(thrown) }
    }
    this.#handover.ran()
    if (lost.aborted) return undefined
    if (stop.aborted && !(result.kind === 'outcome' && result.outcome.kind === 'responded'))
      return this.#release({ prior, current }, 0)
    const verdict = judge(result, { attempt: number, maxAttempts: this.#claim.invocation.maxAttempts }, Math.random())
    return this.#conclude(verdict, { prior, current }, collector.result())
  }

  async #conclude(
    verdict: Verdict,
    { prior, current }: Progress,
    result: RecordResult | undefined,
  ): Promise<Claim | undefined> {
    if (verdict.kind === 'release') return this.#release({ prior, current }, verdict.delayMs)
    const { state, error } = verdict
    const finishedAt = this.#options.clock.now()
    const failure = error === undefined ? {} : { error }
    const progress = { prior, current: { ...current, finishedAt, state, ...failure } }
    if (verdict.kind === 'retry') {
      this.#options.records.write(this.#record('queued', progress))
      await this.#claim.retry(verdict.delayMs, verdict.error.message)
      return undefined
    }
    const shown = result === undefined ? {} : { result }
    return this.#finish({ ...this.#record(state, progress), finishedAt, ...shown, ...failure })
  }

  async #gone(): Promise<Claim | undefined> {
    const { function: name, version } = this.#claim.invocation
    const message = `the function ${JSON.stringify(name)} or its version ${version} was removed before the call ran`
    const prior = await this.#priorAttempts()
    const finishedAt = this.#options.clock.now()
    const error = { code: 'function-not-found', message } as const
    const current = { number: this.#claim.attempt, startedAt: finishedAt, finishedAt, state: 'failed', error } as const
    return this.#finish({ ...this.#record('failed', { prior, current }), finishedAt, error })
  }

  /** The record first: a claim that is complete is never looked at again. */
  async #finish(record: InvocationRecord): Promise<Claim | undefined> {
    await this.#options.records.save(record)
    if (this.#handover.wantsNext()) return this.#claim.completeAndTake()
    await this.#claim.complete()
    return undefined
  }

  /** The attempt stays in the record, to be made again: the store takes a record with fewer attempts for an older one. */
  async #release({ prior, current }: Progress, delayMs: number): Promise<undefined> {
    this.#options.records.write(this.#record('queued', { prior, current: { ...current, state: 'queued' } }))
    await this.#claim.release(delayMs)
  }

  /** Those before this one; one that seems to be running was cut short by the end of its process. */
  async #priorAttempts(): Promise<readonly Attempt[]> {
    if (this.#claim.attempt === 1) return []
    const record = await this.#options.records.get(this.#claim.invocation.id)
    const error = { code: 'internal', message: 'the process that ran the attempt ended' } as const
    return (record?.attempts ?? [])
      .filter(({ number }) => number < this.#claim.attempt)
      .map((attempt) => (attempt.state === 'running' ? { ...attempt, state: 'failed', error } : attempt))
  }

  #invocation(version: FunctionVersion): Invocation {
    const { id, request, acceptedAt } = this.#claim.invocation
    return { id, version, trigger: 'async', request, attempt: this.#claim.attempt, acceptedAt }
  }

  #record(state: InvocationRecord['state'], { prior, current }: Progress): InvocationRecord {
    const { id, function: name, version, request, acceptedAt } = this.#claim.invocation
    return {
      id,
      function: name,
      version,
      trigger: 'async',
      state,
      request: { method: request.method, target: request.target, bodyBytes: request.body.length },
      acceptedAt,
      attempts: [...prior, current],
    }
  }
}
