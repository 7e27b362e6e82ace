// The instances of one worker: as many as there are calls at the same time, each for one call at a time.
import type { InstancePolicy } from '#core/function'

import { MAX_INSTANCES } from '../control.ts'
import type { Guest, GuestInstance } from './guest.ts'

/** Instances kept ready while nothing runs. */
const READY = 1
/** After so many calls an instance is thrown away, whatever its policy: a bound for what leaks in glue and engine. */
const MAX_CALLS = 10_000

interface Live {
  readonly instance: GuestInstance
  calls: number
}

export class Instances {
  readonly #guest: Guest
  readonly #policy: InstancePolicy
  /** The last used last: it is the one whose memory is in the caches. */
  readonly #idle: Live[] = []
  #busy = 0

  constructor(guest: Guest, policy: InstancePolicy) {
    this.#guest = guest
    this.#policy = policy
  }

  /** Makes the first. @throws what the guest throws */
  async start(): Promise<void> {
    this.#idle.push(await this.#make())
  }

  /**
   * Runs `use` with an instance that is nobody else's meanwhile.
   * @throws what the guest throws while an instance is made
   */
  async with(use: (instance: GuestInstance) => Promise<void>): Promise<void> {
    if (this.#busy >= MAX_INSTANCES) throw new Error(`at most ${MAX_INSTANCES} calls at the same time in one sandbox`)
    this.#busy++
    let live: Live | undefined
    try {
      live = this.#idle.pop() ?? (await this.#make())
      await use(live.instance)
    } finally {
      this.#busy--
      // What the host has already given to the glue, the glue writes into the memory within this turn.
      if (live !== undefined) setImmediate(() => this.#giveBack(live!))
    }
  }

  #giveBack(live: Live): void {
    live.calls++
    const fit = this.#policy !== 'fresh' && live.calls < MAX_CALLS && live.instance.recycle()
    if (fit) this.#idle.push(live)
    else live.instance.abandon()
    if (this.#idle.length < READY && this.#busy === 0) this.#makeAhead()
  }

  #makeAhead(): void {
    this.#make().then(
      (live) => this.#idle.push(live),
      // The next call finds out, and can be told.
      () => {},
    )
  }

  async #make(): Promise<Live> {
    return { instance: await this.#guest.instantiate(), calls: 0 }
  }
}
