// The one place for what must hold for every sandbox of every driver: what may be done in which state, how many calls
// at a time, deadlines, cancelling, one outcome per call, and its destruction after a fault. Drivers stay naive.
import type { Diagnostic } from '#core/build'
import type { Clock } from '#core/clock'
import { PlatformError } from '#core/errors'
import type { SandboxId } from '#core/ids'
import type { Invocation, ResponseSink } from '#core/invocation'
import { LinkedList } from '#core/linked-list'
import type { Outcome } from '#core/outcome'
import type { StopSignal } from '#core/stop-signal'
import { stopOnCancel } from '#invoker/terminate/cancel'
import { Deadlines } from '#invoker/terminate/deadline'
import { type CallGuard, RunningCall } from '#invoker/terminate/running-call'
import { outcomeOfEnd } from '#invoker/terminate/sandbox-end'
import { afterGrace, neighbourOf } from '#invoker/terminate/stalled'
import { within } from '#invoker/within'

import type { Code, Hibernation, LoadResult, Sandbox, Termination } from './driver.ts'
import { Rest, type RestState } from './rest.ts'

export interface GuardOptions {
  readonly clock: Clock
  /** Calls at the same time. */
  readonly maxConcurrency: number
  readonly memoryMiB: number
  /** How long the code of a call that was stopped may take to stop. */
  readonly stopGraceMs: number
  /** How long a sandbox may take to show that it still answers. */
  readonly probeMs: number
}

/** `outcome` is for the calls that wanted the code: the user's top-level code failed, took too long or too much. */
export type LoadOutcome =
  | { readonly loaded: true }
  | { readonly loaded: false; readonly outcome: Outcome; readonly diagnostic?: Diagnostic }

type GuardState =
  | { readonly kind: 'generic' }
  | { readonly kind: 'loading' }
  | { readonly kind: 'ready' }
  /** No new calls; ends with the last of those that have no outcome yet. */
  | { readonly kind: 'draining' }
  | { readonly kind: 'gone' }

/** After the sandbox ended its driver knows best what came of the calls, but may not say. */
const LAST_WORDS_MS = 100

export class GuardedSandbox implements AsyncDisposable, CallGuard {
  /** Called when `accepting` may have changed. */
  onChange: (() => void) | undefined
  readonly #sandbox: Sandbox
  readonly #options: GuardOptions
  /** Oldest first; those included that are over but whose code is not. */
  readonly #calls = new LinkedList<RunningCall>()
  readonly #deadlines: Deadlines
  readonly #rest: Rest
  readonly #disposed = Promise.withResolvers<void>()
  #state: GuardState = { kind: 'generic' }
  #stopping = 0

  constructor(sandbox: Sandbox, options: GuardOptions) {
    this.#sandbox = sandbox
    this.#options = options
    this.#rest = new Rest(sandbox)
    this.#deadlines = new Deadlines(options.clock, this.#calls)
    void sandbox.ending?.then(() => this.#ending())
    void sandbox.ended.then((termination) => this.#ended(termination))
  }

  get id(): SandboxId {
    return this.#sandbox.id
  }

  /** Resolves when the sandbox has ended, for whatever reason. */
  get ended(): Promise<Termination> {
    return this.#sandbox.ended
  }

  /** Resolves when nothing of it is left. */
  get gone(): Promise<void> {
    return this.#disposed.promise
  }

  /** Whether it takes no more calls, ever. */
  get leaving(): boolean {
    return this.#is('draining') || this.#is('gone')
  }

  /** Whether it is fit for new calls. Not so while the code of a stopped call has yet to stop: it may never. */
  get accepting(): boolean {
    return this.#state.kind === 'ready' && this.#stopping === 0
  }

  get rest(): RestState {
    return this.#rest.state
  }

  /** How deep its driver can let it sleep. */
  get deepest(): RestState {
    if (this.#sandbox.pause === undefined) return 'awake'
    return this.#sandbox.hibernate === undefined ? 'paused' : 'hibernated'
  }

  /** Bytes that it holds now; undefined where its driver cannot tell. */
  get residentBytes(): number | undefined {
    return this.#sandbox.residentBytes?.()
  }

  /**
   * Stops it where it is, while it has nothing to do; `load` and `invoke` wake it. Whether it sleeps now: not so when it is
   * busy or leaving, or its driver cannot.
   */
  async pause(): Promise<boolean> {
    return this.#idle && (await this.#rest.pause())
  }

  /** Pauses it and gives up its memory. When that cannot be it is left paused, if it can be that. */
  async hibernate(): Promise<Hibernation> {
    return this.#idle ? this.#rest.hibernate() : { hibernated: false, reason: 'the sandbox is not idle' }
  }

  /**
   * Ahead of a call, so that none is given to a sandbox that does not wake. Resolves true when it is awake and answers;
   * one that does not within `limitMs` is destroyed. Never rejects.
   */
  async wake(limitMs: number): Promise<boolean> {
    const waking = this.#rest.wake()
    if (waking === undefined) return !this.leaving
    const answers = waking.then(() => this.#sandbox.responsive(limitMs)).catch(() => false)
    if ((await within(answers, limitMs, this.#options.clock)) === true) return !this.leaving
    this.#kill()
    return false
  }

  /**
   * Gives it code. A sandbox that did not take it is destroyed.
   * @param limitMs how long the user's top-level code may take
   * @throws PlatformError when the platform is to blame
   */
  async load(code: Code, limitMs: number, signal: AbortSignal): Promise<LoadOutcome> {
    this.#require('generic')
    this.#state = { kind: 'loading' }
    const { clock, memoryMiB } = this.#options
    const died = this.#sandbox.ended.then((end): LoadOutcome => {
      if (end.cause === 'disposed') throw endedWhileLoading()
      return { loaded: false, outcome: outcomeOfEnd(end, memoryMiB) }
    })
    try {
      const result = await within(Promise.race([this.#load(code, signal), died]), limitMs, clock)
      if (result?.loaded === true) {
        if (!this.#is('loading')) throw endedWhileLoading()
        this.#state = { kind: 'ready' }
        return result
      }
      this.#kill()
      return asLoadOutcome(result, limitMs)
    } catch (thrown) {
      // A driver may reject because the sandbox ended under it: then the end says more than the rejection.
      const end = await within(
        died.catch(() => undefined),
        LAST_WORDS_MS,
        clock,
      )
      this.#kill()
      if (end === undefined) throw thrown
      return end
    }
  }

  /**
   * Runs one call. Resolves with its outcome as soon as there is one; never rejects.
   * @param onQuiet called once, when the code of the call is over as well or the sandbox is gone: then its slot is free
   * @throws PlatformError `internal` when the sandbox cannot take a call now
   */
  invoke(invocation: Invocation, sink: ResponseSink, signal: StopSignal, onQuiet: () => void): Promise<Outcome> {
    this.#require('ready')
    if (signal.aborted) {
      onQuiet()
      return Promise.resolve({ kind: 'cancelled' })
    }
    if (this.#calls.size >= this.#options.maxConcurrency) {
      throw internal(`at most ${this.#options.maxConcurrency} calls in ${this.id}: received one more`)
    }
    const limitMs = invocation.version.spec.timeoutMs
    const limits = { limitMs, deadline: this.#options.clock.monotonic() + limitMs }
    const call = new RunningCall(this, sink, onQuiet, limits)
    this.#calls.add(call)
    this.#deadlines.watch()
    stopOnCancel(call, signal)
    this.#run(invocation, call).then(
      (outcome) => this.#settled(call, outcome),
      (thrown) => this.#settled(call, { kind: 'exited', detail: `the driver failed: ${String(thrown)}` }),
    )
    return call.outcome
  }

  /** The platform ended a call: its code may go on for the grace period. */
  onStop(call: RunningCall, outcome: Outcome): void {
    this.#stopping += 1
    this.onChange?.()
    if (this.#is('draining') && this.#running() === 0) return this.#kill()
    this.#options.clock.after(this.#options.stopGraceMs, () => void this.#graceOver(call, outcome))
  }

  /** No new calls; it ends when the running ones have their outcomes, at once when there are none. Idempotent. */
  drain(): void {
    if (this.#is('gone')) return
    if (!this.#is('draining')) {
      this.#state = { kind: 'draining' }
      this.onChange?.()
    }
    if (this.#running() === 0) this.#kill()
  }

  /** Kills it; calls that run get `exited` with this detail. Resolves when nothing of it is left. */
  kill(detail: string): Promise<void> {
    this.#kill({ kind: 'exited', detail })
    return this.#disposed.promise
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.kill('the platform ended the sandbox')
  }

  get #idle(): boolean {
    return this.#calls.size === 0 && (this.#is('generic') || this.#is('ready'))
  }

  async #load(code: Code, signal: AbortSignal): Promise<LoadResult> {
    await this.#rest.wake()
    return this.#sandbox.load(code, signal)
  }

  #run(invocation: Invocation, call: RunningCall): Promise<Outcome> {
    try {
      const waking = this.#rest.wake()
      if (waking !== undefined) return waking.then(() => this.#sandbox.invoke(invocation, call, call.signal))
      return this.#sandbox.invoke(invocation, call, call.signal)
    } catch (thrown) {
      return Promise.reject(thrown)
    }
  }

  #settled(call: RunningCall, outcome: Outcome): void {
    call.settle(outcome)
    // A sandbox that lost a call is not trusted with another one; its neighbours may finish.
    if (outcome.kind === 'exited' || outcome.kind === 'out-of-memory') this.drain()
    else if (this.#is('draining') && this.#running() === 0) this.#kill()
    // Last: whoever is told of a free slot may give it to a call at once.
    this.#becameQuiet(call)
  }

  #becameQuiet(call: RunningCall): void {
    if (!this.#calls.delete(call)) return
    if (call.signal.aborted) this.#stopping -= 1
    call.quiet()
    if (call.signal.aborted) this.onChange?.()
  }

  async #graceOver(call: RunningCall, stopped: Outcome): Promise<void> {
    const stalled = (): boolean => this.#calls.has(call) && !this.#is('gone')
    if (!stalled()) return
    const responsive = this.#running() > 0 && (await this.#responsive())
    if (!stalled()) return
    if (afterGrace(this.#running(), responsive) === 'drain') this.drain()
    else this.#kill(neighbourOf(stopped))
  }

  /** Bounded here as well: a driver may hang where its sandbox does. */
  async #responsive(): Promise<boolean> {
    const { probeMs } = this.#options
    const answer = this.#sandbox.responsive(probeMs).catch(() => false)
    return (await within(answer, 2 * probeMs, this.#options.clock)) ?? false
  }

  /** Calls whose callers still wait. */
  #running(): number {
    let count = 0
    for (const call of this.#calls.toArray()) if (!call.over) count += 1
    return count
  }

  #kill(forTheRunning: Outcome = { kind: 'exited', detail: 'the platform ended the sandbox' }): void {
    if (this.#is('gone')) return
    this.#state = { kind: 'gone' }
    for (const call of this.#calls.toArray()) call.settle(forTheRunning)
    this.onChange?.()
    void this.#dispose()
  }

  /** How a sandbox ends that has no code yet, its `load` tells. */
  #ending(): void {
    if (this.#is('ready')) this.drain()
  }

  #ended(termination: Termination): void {
    if (this.#is('gone')) return
    this.#state = { kind: 'gone' }
    this.onChange?.()
    const outcome = outcomeOfEnd(termination, this.#options.memoryMiB)
    const finish = (): void => {
      for (const call of this.#calls.toArray()) call.settle(outcome)
      void this.#dispose()
    }
    if (this.#calls.size === 0) finish()
    else this.#options.clock.after(LAST_WORDS_MS, finish)
  }

  async #dispose(): Promise<void> {
    this.#deadlines[Symbol.dispose]()
    try {
      await this.#sandbox[Symbol.asyncDispose]()
    } finally {
      for (const call of this.#calls.toArray()) this.#becameQuiet(call)
      this.#disposed.resolve()
    }
  }

  #is(kind: GuardState['kind']): boolean {
    return this.#state.kind === kind
  }

  #require(kind: GuardState['kind']): void {
    if (!this.#is(kind)) throw internal(`${this.id} must be ${kind}: it is ${this.#state.kind}`)
  }
}

function asLoadOutcome(result: LoadResult | LoadOutcome | undefined, limitMs: number): LoadOutcome {
  if (result === undefined) return { loaded: false, outcome: { kind: 'timed-out', limitMs } }
  if (result.loaded || 'outcome' in result) return result
  const outcome = { kind: 'failed', failure: result.failure } as const
  if (result.diagnostic === undefined) return { loaded: false, outcome }
  return { loaded: false, outcome, diagnostic: result.diagnostic }
}

function endedWhileLoading(): PlatformError {
  return new PlatformError('sandbox-unavailable', { detail: 'the sandbox was ended while it loaded' })
}

function internal(detail: string): PlatformError {
  return new PlatformError('internal', { detail })
}
