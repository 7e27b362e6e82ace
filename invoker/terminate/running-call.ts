// One call in a sandbox, from its start to its one and only outcome: whatever ends it first wins. The files beside
// this one are the causes. Knows nothing of pools, and of sandboxes only that they deliver into a ResponseSink.
import type { LogLine, ResponseHead, ResponseSink } from '#core/invocation'
import type { Outcome } from '#core/outcome'

export class RunningCall implements ResponseSink {
  /** Resolves once, with the first cause of the end. Never rejects. */
  readonly outcome: Promise<Outcome>
  /** Called once, when the platform ends the call before its code has. */
  onStop: ((stopped: Outcome) => void) | undefined
  readonly #code = new AbortController()
  readonly #watches: Disposable[] = []
  #resolve!: (outcome: Outcome) => void
  /** Undefined once the call has its outcome: the caller hears nothing after it. */
  #sink: ResponseSink | undefined
  #progress: 'nothing' | 'head' | 'end' = 'nothing'
  #stopped: Outcome | undefined

  constructor(sink: ResponseSink) {
    this.#sink = sink
    this.outcome = new Promise((resolve) => {
      this.#resolve = resolve
    })
  }

  /** Aborts when the code is to stop. */
  get signal(): AbortSignal {
    return this.#code.signal
  }

  get over(): boolean {
    return this.#sink === undefined
  }

  /** What the platform ended it with before its code was over. */
  get stopped(): Outcome | undefined {
    return this.#stopped
  }

  /** Something that watches for a cause; disposed of when the call is over. */
  watch(watch: Disposable): void {
    if (this.over) watch[Symbol.dispose]()
    else this.#watches.push(watch)
  }

  /** Gives the call its outcome, unless it has one. */
  settle(outcome: Outcome): boolean {
    if (this.#sink === undefined) return false
    const answer = outcome.kind === 'responded' ? this.#checked(outcome) : outcome
    this.#sink = undefined
    for (const watch of this.#watches) watch[Symbol.dispose]()
    this.#resolve(answer)
    return true
  }

  /** As `settle`, and tells the code to stop. */
  stop(outcome: Outcome): void {
    if (!this.settle(outcome)) return
    this.#stopped = outcome
    this.#code.abort()
    this.onStop?.(outcome)
  }

  head(head: ResponseHead, whole: Uint8Array | undefined): void {
    if (this.#progress !== 'nothing') return
    this.#progress = 'head'
    this.#sink?.head(head, whole)
  }

  chunk(bytes: Uint8Array): void | Promise<void> {
    if (this.#progress === 'head') return this.#sink?.chunk(bytes)
  }

  end(): void {
    if (this.#progress !== 'head') return
    this.#progress = 'end'
    this.#sink?.end()
  }

  log(line: LogLine): void {
    this.#sink?.log(line)
  }

  /** "It responded" is believed only of a call that did: the caller is waiting for a head. */
  #checked(outcome: Outcome): Outcome {
    if (this.#progress === 'nothing') return { kind: 'exited', detail: 'the call ended without a response' }
    if (this.#progress === 'head') this.end()
    return outcome
  }
}
