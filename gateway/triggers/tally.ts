// What a trigger counts, on its way to the store: added up here, reported every second.
import type { Clock } from '#core/clock'
import type { TriggerName } from '#core/ids'
import type { Lag } from '../sources/source.ts'
import type { TriggerCounter, TriggerReport, TriggerStatus, TriggerStore } from '#core/trigger'

const REPORT_MS = 1000

type Counts = Record<TriggerCounter, number>
type Rest = Omit<TriggerReport, 'add' | 'at'>

/** Reports what changed until disposed; disposing reports the rest. Never fails: what was not reported is kept. */
export class Tally implements AsyncDisposable {
  readonly #name: TriggerName
  readonly #store: Pick<TriggerStore, 'report'>
  readonly #clock: Clock
  readonly #timer: Disposable
  /** Since this process serves the trigger, for /metrics. */
  readonly totals: Counts = none()
  /** As the source last said. */
  lag: Lag = {}
  #unreported: Counts = none()
  #rest: Rest | undefined
  #reporting: Promise<void> | undefined

  constructor(name: TriggerName, store: Pick<TriggerStore, 'report'>, clock: Clock) {
    this.#name = name
    this.#store = store
    this.#clock = clock
    this.#timer = clock.every(REPORT_MS, () => void this.flush())
  }

  add(counter: TriggerCounter, count = 1): void {
    if (count === 0) return
    this.#unreported[counter] += count
    this.totals[counter] += count
    if (counter === 'received') this.set({ lastEventAt: this.#clock.now() })
  }

  set(rest: Rest): void {
    this.#rest = { ...this.#rest, ...rest }
  }

  /** A new state, reported at once; without a reason the old one goes. */
  state(state: TriggerStatus['state'], reason?: string): void {
    const { reason: _old, ...rest } = this.#takeRest() ?? {}
    this.#rest = { ...rest, state, ...(reason === undefined ? {} : { reason }) }
    void this.flush()
  }

  async flush(): Promise<void> {
    while (this.#reporting !== undefined) await this.#reporting
    if (this.#rest === undefined && Object.values(this.#unreported).every((count) => count === 0)) return
    this.#reporting = this.#report()
    await this.#reporting
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#timer[Symbol.dispose]()
    await this.flush()
  }

  #takeRest(): Rest | undefined {
    const rest = this.#rest
    this.#rest = undefined
    return rest
  }

  async #report(): Promise<void> {
    const add = this.#unreported
    const rest = this.#takeRest()
    this.#unreported = none()
    try {
      await this.#store.report(this.#name, { ...rest, at: this.#clock.now(), add })
    } catch {
      for (const counter of Object.keys(add) as TriggerCounter[]) this.#unreported[counter] += add[counter]
      this.#rest = rest === undefined ? this.#rest : { ...rest, ...this.#takeRest() }
    } finally {
      this.#reporting = undefined
    }
  }
}

function none(): Counts {
  return { received: 0, matched: 0, invocations: 0, redelivered: 0, failed: 0 }
}
