// Whether an idle sandbox is awake, for its guard: pausing, hibernating and waking in an order that cannot go wrong.
// Knows nothing of when to do which.
import type { Hibernation, Sandbox } from './driver.ts'

export type RestState = 'awake' | 'paused' | 'hibernated'

export class Rest {
  readonly #sandbox: Sandbox
  #state: RestState = 'awake'
  /** The last change but waking. */
  #change: Promise<unknown> = Promise.resolve()
  #waking: Promise<void> | undefined

  constructor(sandbox: Sandbox) {
    this.#sandbox = sandbox
  }

  get state(): RestState {
    return this.#state
  }

  /** Whether it sleeps now. Not so when the driver cannot, or when it is woken meanwhile. */
  async pause(): Promise<boolean> {
    if (this.#waking !== undefined || this.#sandbox.pause === undefined) return false
    if (this.#state === 'awake') {
      this.#state = 'paused'
      this.#change = this.#sandbox.pause().catch(() => (this.#state = 'awake'))
    }
    await this.#change
    return this.#waking === undefined && this.state !== 'awake'
  }

  async hibernate(): Promise<Hibernation> {
    if (!(await this.pause())) return { hibernated: false, reason: 'the sandbox cannot be paused now' }
    const hibernating = this.#sandbox.hibernate?.().catch(asReason)
    if (hibernating === undefined) return { hibernated: false, reason: 'its driver cannot move its memory away' }
    this.#change = hibernating
    const result = await hibernating
    if (result.hibernated && this.state === 'paused') this.#state = 'hibernated'
    return result
  }

  /** Undefined when it is awake. Rejects when it cannot be woken: then it is of no use any more. */
  wake(): Promise<void> | undefined {
    if (this.#state === 'awake') return undefined
    this.#waking ??= this.#wake()
    return this.#waking
  }

  async #wake(): Promise<void> {
    await this.#change
    await this.#sandbox.resume?.()
    this.#state = 'awake'
    this.#waking = undefined
  }
}

/** It never should, but then it is paused all the same. */
function asReason(error: unknown): Hibernation {
  return { hibernated: false, reason: `its memory could not be moved away: ${String(error)}` }
}
