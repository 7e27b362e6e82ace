// What /metrics tells. Counting is plain additions: 0.05 µs a call, where prom-client, which hashes the labels at every
// observation, took 1.4 µs. Its objects are filled when somebody scrapes.
import { Counter, Histogram, Registry } from 'prom-client'

import type { FunctionName } from '#core/ids'
import type { Completion, Invoker } from '#core/invoker'

import type { GatewayDeps } from './gateway.ts'
import { LaneMetrics } from './lane-metrics.ts'
import { SandboxMetrics } from './sandbox-metrics.ts'
import { FunctionTally } from './tally.ts'
import type { TimeTally } from './tally.ts'
import { TriggerMetrics } from './trigger-metrics.ts'
import type { ServedTrigger } from './triggers/served-trigger.ts'

/** Functions that were called since this process started and still exist bound the number of time series. */
export class GatewayMetrics {
  readonly #registry = new Registry()
  readonly #tallies = new Map<FunctionName, FunctionTally>()
  readonly #invoker: Invoker
  readonly #sandboxes: SandboxMetrics
  /** Of async invocations. */
  readonly lanes: LaneMetrics
  readonly triggers: TriggerMetrics

  /** @param served the triggers of this process, at every scrape */
  constructor(
    { invoker, ...deps }: Pick<GatewayDeps, 'invoker' | 'lanes' | 'deadLetters' | 'clock'>,
    served: () => Iterable<ServedTrigger>,
  ) {
    const registers = [this.#registry]
    this.#invoker = invoker
    this.lanes = new LaneMetrics(deps, registers)
    this.triggers = new TriggerMetrics(served, registers)
    this.#registerInvocations(registers)
    this.#registerTimes(registers)
    this.#sandboxes = new SandboxMetrics(registers)
  }

  completed(name: FunctionName, completion: Completion): void {
    this.#tally(name).completed(completion)
  }

  /** The platform failed it before a sandbox had it. */
  refused(name: FunctionName): void {
    this.#tally(name).refused()
  }

  /** The functions with numbers of their own. */
  get names(): Iterable<FunctionName> {
    return new Set([...this.#tallies.keys(), ...this.lanes.names])
  }

  forget(name: FunctionName): void {
    this.#tallies.delete(name)
    this.lanes.forget(name)
  }

  /** The text for Prometheus. */
  render(): Promise<string> {
    this.#sandboxes.fill(this.#invoker.sandboxes())
    return this.#registry.metrics()
  }

  get contentType(): string {
    return this.#registry.contentType
  }

  #tally(name: FunctionName): FunctionTally {
    let tally = this.#tallies.get(name)
    if (tally === undefined) {
      tally = new FunctionTally()
      this.#tallies.set(name, tally)
    }
    return tally
  }

  #registerInvocations(registers: Registry[]): void {
    const tallies = this.#tallies
    const counter = new Counter({
      name: 'hearth_invocations_total',
      help: 'Invocations by function, outcome and how the sandbox was come by',
      labelNames: ['function', 'outcome', 'start'],
      registers,
      collect() {
        counter.reset()
        for (const [name, tally] of tallies) {
          for (const { outcome, start, count } of tally.counts()) counter.inc({ function: name, outcome, start }, count)
        }
      },
    })
  }

  #registerTimes(registers: Registry[]): void {
    const times = [
      ['queue', 'hearth_queue_seconds', 'Time that invocations waited for room'],
      ['start', 'hearth_start_seconds', 'Time to create or specialize a sandbox, where one had to be'],
      ['run', 'hearth_run_seconds', 'Time in the function, until the last byte of the response'],
    ] as const
    for (const [key, name, help] of times) {
      const tallies = (): Tallies => [...this.#tallies].map(([of, tally]) => [of, tally[key]])
      // It registers itself.
      void new TalliedHistogram({ name, help, registers }, tallies)
    }
  }
}

type HistogramObject = Awaited<ReturnType<Histogram<'function'>['get']>>
type Tallies = Iterable<readonly [string, TimeTally]>

/** A histogram whose values are counted elsewhere. */
class TalliedHistogram extends Histogram<'function'> {
  readonly #shape: Pick<HistogramObject, 'name' | 'help'>
  readonly #tallies: () => Tallies

  constructor(shape: { name: string; help: string; registers: Registry[] }, tallies: () => Tallies) {
    super({ ...shape, labelNames: ['function'] })
    this.#shape = shape
    this.#tallies = tallies
  }

  override async get(): Promise<HistogramObject> {
    const { name, help } = this.#shape
    const values = [...this.#tallies()].flatMap(([of, tally]) => tally.series(name, { function: of }))
    // Its type says that kinds are numbers; what renders the text wants their names.
    return { name, help, type: 'histogram', aggregator: 'sum', values } as unknown as HistogramObject
  }

  /** What a Registry asks for instead of get(), when it is there. */
  getForPromString(): Promise<HistogramObject> {
    return this.get()
  }
}
