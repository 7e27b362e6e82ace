// Binds event sources to functions: which triggers this process serves, and what changes that. START HERE; the way of one
// event is in intake.ts. Knows no source by name, and nothing of HTTP.
import type { TriggerName } from '#core/ids'
import type { Trigger } from '#core/trigger'

import { KeyedLock } from '../keyed-lock.ts'
import type { SourceCatalogue } from '../sources/catalogue.ts'
import { watchFailures } from './failures.ts'
import { servePull, servePush, type ServedTrigger, type ServingDeps } from './served-trigger.ts'

/** For so long a trigger stays with a process that has died. */
const LEAD_MS = 15_000
const RENEW_MS = 5000

export interface TriggersDeps extends ServingDeps {
  readonly sources: SourceCatalogue
  /**
   * Who leads. The same for one data directory after a restart, so that what its last process led need not run out;
   * different for all processes that may run at the same time.
   */
  readonly owner: string
  /** Told of what keeps a trigger from being served here. */
  readonly onFault: (error: unknown, trigger: TriggerName) => void
}

/**
 * Triggers of pull sources are served by one process at a time, those of push sources by all. Until disposed: that stops
 * the sources, lets what they have handed over become durable, and gives the lead up.
 */
export class Triggers implements AsyncDisposable {
  readonly #deps: TriggersDeps
  readonly #served = new Map<TriggerName, ServedTrigger>()
  /** With the monotonic ms when the lead was last asked for and had. */
  readonly #led = new Map<TriggerName, number>()
  readonly #failures = new Map<TriggerName, Disposable>()
  readonly #known = new Map<TriggerName, Trigger>()
  readonly #changing = new KeyedLock<TriggerName>()
  readonly #resources = new DisposableStack()
  #closed = false

  constructor(deps: TriggersDeps) {
    this.#deps = deps
    const { triggers, clock } = deps
    this.#resources.use(triggers.onChange((name) => void (name === undefined ? this.#loadAll() : this.#load(name))))
    this.#resources.use(clock.every(RENEW_MS, () => void this.#leadAll()))
  }

  /** Serves what there is. Later changes are heard of. @throws PlatformError `store-unavailable` */
  async start(): Promise<void> {
    await this.#loadAll(true)
  }

  /** The enabled triggers of a push kind, as this process knows them. */
  pushed(kind: Trigger['spec']['kind']): readonly ServedTrigger[] {
    return [...this.#served.values()].filter(({ trigger }) => trigger.spec.kind === kind)
  }

  /** An enabled trigger of a push kind; undefined when there is none. */
  served(name: TriggerName): ServedTrigger | undefined {
    return this.#served.get(name)
  }

  /** Those that this process serves. */
  all(): Iterable<ServedTrigger> {
    return this.#served.values()
  }

  /** Reads a trigger again, so that a change made by this process holds from now on. */
  async refresh(name: TriggerName): Promise<void> {
    await this.#load(name)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#closed) return
    this.#closed = true
    this.#resources.dispose()
    const names = new Set([...this.#known.keys(), ...this.#served.keys()])
    await Promise.all([...names].map((name) => this.#changing.run(name, () => this.#stop(name))))
  }

  /** @param mustWork whether a failure is the caller's; else the store says when it is back */
  async #loadAll(mustWork = false): Promise<void> {
    try {
      const found = new Map((await this.#deps.triggers.list()).map((trigger) => [trigger.name, trigger]))
      for (const name of new Set([...found.keys(), ...this.#known.keys()])) this.#setKnown(name, found.get(name))
      await Promise.all([...new Set([...found.keys(), ...this.#served.keys()])].map((name) => this.#settle(name)))
    } catch (error) {
      if (mustWork) throw error
    }
  }

  async #load(name: TriggerName): Promise<void> {
    try {
      this.#setKnown(name, await this.#deps.triggers.get(name))
      await this.#settle(name)
    } catch {
      // The store is away. When it is back it says that messages may have been lost, and all are read again.
    }
  }

  #setKnown(name: TriggerName, trigger: Trigger | undefined): void {
    if (trigger === undefined) this.#known.delete(name)
    else this.#known.set(name, trigger)
  }

  /** Makes what is served what is wanted. */
  async #settle(name: TriggerName): Promise<void> {
    await this.#changing.run(name, async () => {
      const wanted = this.#known.get(name)
      const served = this.#served.get(name)
      if (served !== undefined && served.trigger.revision === wanted?.revision && this.#isOf(served, wanted)) return
      await this.#stop(name)
      if (wanted !== undefined && wanted.spec.enabled && !this.#closed) await this.#serve(wanted)
    })
  }

  /** A trigger that was removed and made again counts from 1 again. */
  #isOf(served: ServedTrigger, wanted: Trigger): boolean {
    return served.trigger.createdAt === wanted.createdAt
  }

  async #serve(trigger: Trigger): Promise<void> {
    const source = this.#deps.sources[trigger.spec.kind]
    if (source === undefined) return
    const isLeader = await this.#lead(trigger.name)
    if (source.delivery === 'push') this.#served.set(trigger.name, servePush(this.#deps, trigger))
    else if (isLeader) this.#served.set(trigger.name, servePull(this.#deps, trigger, source))
  }

  async #stop(name: TriggerName): Promise<void> {
    const served = this.#served.get(name)
    this.#served.delete(name)
    await served?.[Symbol.asyncDispose]()
    if (!this.#leadsNot(name)) return
    // When that cannot be said, the lead runs out by itself.
    await this.#deps.triggers.unlead(name, this.#deps.owner).catch(() => {})
  }

  async #leadAll(): Promise<void> {
    await Promise.all([...this.#known.values()].map(async (trigger) => this.#renew(trigger)))
  }

  async #renew({ name, spec }: Trigger): Promise<void> {
    if (!spec.enabled || this.#closed) return
    try {
      const isLeader = await this.#lead(name)
      const isPull = this.#deps.sources[spec.kind]?.delivery === 'pull'
      if (isLeader && !this.#served.has(name)) await this.#settle(name)
      else if (!isLeader && isPull && this.#served.has(name)) await this.#changing.run(name, () => this.#stop(name))
    } catch (error) {
      this.#deps.onFault(error, name)
    }
  }

  /** Also true while the store is away, for as long as nobody else can have taken it over. */
  async #lead(name: TriggerName): Promise<boolean> {
    const { triggers, clock } = this.#deps
    const asked = clock.monotonic()
    try {
      const isLeader = await triggers.lead(name, this.#deps.owner, LEAD_MS)
      if (isLeader) this.#leads(name, asked)
      else this.#leadsNot(name)
      return isLeader
    } catch {
      return asked - (this.#led.get(name) ?? -Infinity) < LEAD_MS
    }
  }

  #leads(name: TriggerName, asked: number): void {
    this.#led.set(name, asked)
    if (this.#failures.has(name)) return
    const onFailed = (count: number): void => this.#served.get(name)?.tally.add('failed', count)
    this.#failures.set(name, watchFailures({ ...this.#deps, trigger: name, onFailed }))
  }

  /** Whether it did. */
  #leadsNot(name: TriggerName): boolean {
    this.#failures.get(name)?.[Symbol.dispose]()
    this.#failures.delete(name)
    return this.#led.delete(name)
  }
}
