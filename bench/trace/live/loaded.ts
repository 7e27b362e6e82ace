// Looks every now and then which functions are loaded without a call, and adds up what that wastes. The times between
// looks are random, so that no timer of the trace goes with them.
import { type Clock, systemClock } from '#core/clock'

import { listFunctions } from '../../platform.ts'
import { seeded } from '../random.ts'
import { TOKEN } from './open.ts'

/** Real ms. */
const LOOK_MS = { least: 100, most: 300 }

export interface Watched {
  /** What the waste counts for. */
  readonly policy: string
  readonly memoryMB: number
}

export class Loaded implements AsyncDisposable {
  readonly #url: string
  readonly #watched: ReadonlyMap<string, Watched>
  readonly #clock: Clock
  readonly #wasted = new Map<string, number>()
  readonly #random = seeded(1)
  #timer: Disposable | undefined
  #looking: Promise<void> = Promise.resolve()
  #failure: unknown
  #lookedAt: number
  #stopped = false

  /** @param watched by the function's name */
  constructor(url: string, watched: ReadonlyMap<string, Watched>, clock: Clock) {
    this.#url = url
    this.#watched = watched
    this.#clock = clock
    this.#lookedAt = clock.monotonic()
    this.#lookLater()
  }

  /** MB·ms of the clock, by policy. @throws when it could not be looked */
  async stop(): Promise<ReadonlyMap<string, number>> {
    await this[Symbol.asyncDispose]()
    if (this.#failure !== undefined) throw this.#failure
    return this.#wasted
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stopped = true
    this.#timer?.[Symbol.dispose]()
    await this.#looking
  }

  #lookLater(): void {
    const ms = LOOK_MS.least + this.#random() * (LOOK_MS.most - LOOK_MS.least)
    this.#timer = systemClock.after(ms, () => {
      this.#looking = this.#look().then(
        () => (this.#stopped ? undefined : this.#lookLater()),
        (error: unknown) => void (this.#failure = error),
      )
    })
  }

  async #look(): Promise<void> {
    const functions = await listFunctions(this.#url, TOKEN)
    if (functions.length !== this.#watched.size)
      throw new Error(`${this.#watched.size} functions were expected: ${functions.length} are listed`)
    const now = this.#clock.monotonic()
    const ms = now - this.#lookedAt
    this.#lookedAt = now
    for (const { function: name, state } of functions) {
      const { policy, memoryMB } = this.#watched.get(name)!
      if (state === 'warm') this.#wasted.set(policy, (this.#wasted.get(policy) ?? 0) + ms * memoryMB)
    }
  }
}
