// Event, EventTarget and what is built on them: AbortController and AbortSignal.
import { report } from './report.ts'

interface EventInit {
  readonly cancelable?: boolean
  readonly bubbles?: boolean
}

const STOPPED = Symbol('stopped')

export class Event {
  readonly type: string
  readonly bubbles: boolean
  readonly cancelable: boolean
  readonly timeStamp = 0
  target: EventTarget | null = null
  currentTarget: EventTarget | null = null
  defaultPrevented = false
  #stopped = false

  constructor(type: string, { cancelable = false, bubbles = false }: EventInit = {}) {
    this.type = String(type)
    this.cancelable = cancelable
    this.bubbles = bubbles
  }

  preventDefault(): void {
    if (this.cancelable) this.defaultPrevented = true
  }

  stopPropagation(): void {}

  stopImmediatePropagation(): void {
    this.#stopped = true
  }

  get [STOPPED](): boolean {
    return this.#stopped
  }
}

export class CustomEvent<D = unknown> extends Event {
  readonly detail: D | null

  constructor(type: string, init: EventInit & { readonly detail?: D } = {}) {
    super(type, init)
    this.detail = init.detail ?? null
  }
}

type Listener = ((event: Event) => unknown) | { handleEvent(event: Event): unknown }

interface ListenerOptions {
  readonly once?: boolean
  readonly signal?: AbortSignal
}

interface Registration {
  readonly type: string
  readonly listener: Listener
  readonly once: boolean
}

export class EventTarget {
  #listeners: Registration[] = []

  addEventListener(type: string, listener: Listener | null, options: ListenerOptions | boolean = {}): void {
    if (listener === null) return
    const { once = false, signal } = typeof options === 'boolean' ? {} : options
    if (signal?.aborted === true || this.#find(type, listener) !== undefined) return
    this.#listeners.push({ type, listener, once })
    signal?.addEventListener('abort', () => this.removeEventListener(type, listener), { once: true })
  }

  removeEventListener(type: string, listener: Listener | null): void {
    this.#listeners = this.#listeners.filter((one) => one.type !== type || one.listener !== listener)
  }

  dispatchEvent(event: Event): boolean {
    event.target = this
    event.currentTarget = this
    const property = (this as Record<string, unknown>)[`on${event.type}`]
    if (typeof property === 'function') guarded(() => property.call(this, event))
    for (const { type, listener, once } of this.#listeners) {
      if (type !== event.type || event[STOPPED]) continue
      if (once) this.removeEventListener(type, listener)
      guarded(() => (typeof listener === 'function' ? listener.call(this, event) : listener.handleEvent(event)))
    }
    event.currentTarget = null
    return !event.defaultPrevented
  }

  #find(type: string, listener: Listener): Registration | undefined {
    return this.#listeners.find((one) => one.type === type && one.listener === listener)
  }
}

/** One listener's error does not keep the others from running; it is logged. */
function guarded(run: () => unknown): void {
  try {
    run()
  } catch (thrown) {
    report(thrown)
  }
}

/** Aborts a signal from outside its controller. */
export let abortSignal: (signal: AbortSignal, reason: unknown) => void
/** A signal whose source is asked for only when someone looks at the signal. */
export let lazySignal: (watch: (abort: (reason: unknown) => void) => void) => AbortSignal

const CONSTRUCT = Symbol('construct')

export class AbortSignal extends EventTarget {
  static {
    abortSignal = (signal, reason) => signal.#abort(reason)
    lazySignal = (watch) => {
      const signal = new AbortSignal(CONSTRUCT)
      signal.#watch = () => watch((reason) => signal.#abort(reason))
      return signal
    }
  }

  onabort: ((event: Event) => unknown) | null = null
  #aborted = false
  #reason: unknown
  #watch: (() => void) | undefined

  constructor(key: symbol) {
    if (key !== CONSTRUCT) throw new TypeError('Illegal constructor')
    super()
  }

  static abort(reason: unknown = abortError()): AbortSignal {
    const signal = new AbortSignal(CONSTRUCT)
    signal.#abort(reason)
    return signal
  }

  static timeout(ms: number): AbortSignal {
    const signal = new AbortSignal(CONSTRUCT)
    setTimeout(() => signal.#abort(new DOMException('The operation timed out', 'TimeoutError')), ms)
    return signal
  }

  static any(signals: Iterable<AbortSignal>): AbortSignal {
    const combined = new AbortSignal(CONSTRUCT)
    const all = [...signals]
    const first = all.find((signal) => signal.aborted)
    if (first !== undefined) {
      combined.#abort(first.reason)
      return combined
    }
    for (const signal of all) signal.addEventListener('abort', () => combined.#abort(signal.reason), { once: true })
    return combined
  }

  get aborted(): boolean {
    return this.#aborted
  }

  get reason(): unknown {
    return this.#reason
  }

  throwIfAborted(): void {
    if (this.#aborted) throw this.#reason
  }

  override addEventListener(type: string, listener: Listener | null, options: ListenerOptions | boolean = {}): void {
    const watch = this.#watch
    this.#watch = undefined
    watch?.()
    super.addEventListener(type, listener, options)
  }

  get [Symbol.toStringTag](): string {
    return 'AbortSignal'
  }

  #abort(reason: unknown): void {
    if (this.#aborted) return
    this.#aborted = true
    this.#reason = reason
    this.dispatchEvent(new Event('abort'))
  }
}

export class AbortController {
  readonly signal = new AbortSignal(CONSTRUCT)

  abort(reason: unknown = abortError()): void {
    abortSignal(this.signal, reason)
  }
}

function abortError(): DOMException {
  return new DOMException('This operation was aborted', 'AbortError')
}
