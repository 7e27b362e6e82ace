// One call in a sandbox, from its start to its one and only outcome: whatever ends it first wins. The files beside
// this one are the causes. Knows nothing of pools, and of sandboxes only that they deliver into a ResponseSink.
import type { LogLine, ResponseHead, ResponseSink } from '#core/invocation'
import type { Linked } from '#core/linked-list'
import type { Outcome } from '#core/outcome'
import { type StopSignal, StopSource } from '#core/stop-signal'

/** What the driver delivers into, and what tells it to stop. */
export class RunningCall implements ResponseSink, Linked<RunningCall> {
  before: RunningCall | undefined
  after: RunningCall | undefined
  /** Resolves once, with the first cause of the end. Never rejects. */
  readonly outcome: Promise<Outcome>
  readonly limitMs: number
  /** When its time is over; monotonic ms. */
  readonly deadline: number
  readonly #guard: CallGuard
  #resolve!: (outcome: Outcome) => void
  readonly #onQuiet: () => void
  /** Undefined once its code is over as well: until then it may write. */
  #sink: ResponseSink | undefined
  #over = false
  #progress: 'nothing' | 'head' | 'end' = 'nothing'
  readonly #stop = new StopSource()
  #endCancel: (() => void) | undefined

  constructor(
    guard: CallGuard,
    sink: ResponseSink,
    onQuiet: () => void,
    limits: { limitMs: number; deadline: number },
  ) {
    this.#guard = guard
    this.#sink = sink
    this.#onQuiet = onQuiet
    this.limitMs = limits.limitMs
    this.deadline = limits.deadline
    this.outcome = new Promise((resolve) => {
      this.#resolve = resolve
    })
  }

  /** Whether it has its outcome: the caller hears nothing after it. */
  get over(): boolean {
    return this.#over
  }

  /** Aborts when the platform ends it before its code is over. */
  get signal(): StopSignal {
    return this.#stop
  }

  /** Called when the call is over, to watch for a cancel no longer. */
  onceOver(endCancel: () => void): void {
    if (this.#over) endCancel()
    else this.#endCancel = endCancel
  }

  /** Gives the call its outcome, unless it has one. */
  settle(outcome: Outcome): boolean {
    if (this.#over) return false
    const answer = outcome.kind === 'responded' ? this.#checked(outcome) : outcome
    this.#over = true
    this.#endCancel?.()
    this.#resolve(answer)
    return true
  }

  /** As `settle`, and tells the code to stop. */
  stop(outcome: Outcome): void {
    if (!this.settle(outcome)) return
    this.#stop.abort()
    this.#guard.onStop(this, outcome)
  }

  head(head: ResponseHead, whole: Uint8Array | undefined): void {
    if (this.#over || this.#progress !== 'nothing') return
    this.#progress = 'head'
    this.#sink?.head(head, whole)
  }

  chunk(bytes: Uint8Array): void | Promise<void> {
    if (!this.#over && this.#progress === 'head') return this.#sink?.chunk(bytes)
  }

  end(): void {
    if (this.#over || this.#progress !== 'head') return
    this.#progress = 'end'
    this.#sink?.end()
  }

  /** After the outcome too: how code winds down is for its owner to see. */
  log(line: LogLine): void {
    this.#sink?.log(line)
  }

  /** To be called once its code is over too, or the sandbox is gone. */
  quiet(): void {
    this.#sink = undefined
    this.#onQuiet()
  }

  /** "It responded" is believed only of a call that did: the caller is waiting for a head. */
  #checked(outcome: Outcome): Outcome {
    if (this.#progress === 'nothing') return { kind: 'exited', detail: 'the call ended without a response' }
    if (this.#progress === 'head') this.end()
    return outcome
  }
}

/** Who is told that the platform ended a call before its code has. */
export interface CallGuard {
  onStop(call: RunningCall, outcome: Outcome): void
}
