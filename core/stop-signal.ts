// Telling something that runs to stop. An AbortController for every call would cost as much as all else that the
// gateway and the invoker do for a warm one.

/** The part of an AbortSignal that a call needs; every AbortSignal is one. */
export interface StopSignal {
  readonly aborted: boolean
  /** Why, where whoever aborted said so. */
  readonly reason?: unknown
  addEventListener(type: 'abort', listener: () => void, options?: { readonly once?: boolean }): void
  removeEventListener(type: 'abort', listener: () => void): void
}

/** Controller and signal in one. Listeners are called once, in order, and must not throw. */
export class StopSource implements StopSignal {
  #aborted = false
  #reason: unknown
  /** Mostly there is one or none. */
  #listener: (() => void) | undefined
  #others: (() => void)[] | undefined

  get aborted(): boolean {
    return this.#aborted
  }

  get reason(): unknown {
    return this.#reason
  }

  /** The first reason stays. */
  abort(reason?: unknown): void {
    if (this.#aborted) return
    this.#aborted = true
    this.#reason = reason
    const listeners = [this.#listener, ...(this.#others ?? [])]
    this.#listener = undefined
    this.#others = undefined
    for (const listener of listeners) listener?.()
  }

  addEventListener(_type: 'abort', listener: () => void): void {
    if (this.#listener === undefined && this.#others === undefined) this.#listener = listener
    else (this.#others ??= []).push(listener)
  }

  removeEventListener(_type: 'abort', listener: () => void): void {
    if (this.#listener === listener) this.#listener = undefined
    else if (this.#others !== undefined) this.#others = this.#others.filter((other) => other !== listener)
  }
}

/** Aborts with `signal` too. It holds on to the source: it is for signals of one call. */
export function follow(source: StopSource, signal: StopSignal): void {
  const abort = (): void => source.abort(signal.reason)
  if (signal.aborted) abort()
  else signal.addEventListener('abort', abort, { once: true })
}
