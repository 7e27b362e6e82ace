// What /metrics tells of async invocations: how lanes stand, read from the store when somebody scrapes, and what became
// of the invocations that this process ran.
import { Gauge } from 'prom-client'
import type { Registry } from 'prom-client'

import type { Clock } from '#core/clock'
import type { DeadLetters } from '#core/dead-letter'
import { deliveriesOf } from '#core/ids'
import type { FunctionName, LaneName } from '#core/ids'
import type { Lanes, LaneState } from '#core/queue'
import type { InvocationRecord, RecordState } from '#core/record'

interface LaneMetricsDeps {
  readonly lanes: Pick<Lanes, 'states'>
  readonly deadLetters: Pick<DeadLetters, 'counts'>
  readonly clock: Clock
}

interface Reading {
  readonly lanes: ReadonlyMap<LaneName, LaneState>
  readonly deadLetters: ReadonlyMap<FunctionName, number>
}

interface Value {
  readonly labels: Readonly<Record<string, string>>
  readonly value: number
}

type DeliveryState = 'delivered' | 'failed'

/** Of one function, since this process started. */
class AsyncTally {
  readonly ended = new Map<RecordState, number>()
  readonly deliveries = new Map<DeliveryState, number>()
  attempts = 0
  redeliveries = 0
}

export class LaneMetrics {
  readonly #deps: LaneMetricsDeps
  readonly #tallies = new Map<FunctionName, AsyncTally>()
  #reading: Promise<Reading> | undefined

  constructor(deps: LaneMetricsDeps, registers: Registry[]) {
    this.#deps = deps
    this.#registerLanes(registers)
    this.#registerTallies(registers)
  }

  /** An async invocation is over, with this record. */
  ended({ function: name, state, attempts, redeliveries = 0 }: InvocationRecord): void {
    const tally = this.#tally(name)
    count(tally.ended, state)
    tally.attempts += attempts.length
    tally.redeliveries += redeliveries
  }

  delivered(name: FunctionName, state: DeliveryState): void {
    count(this.#tally(name).deliveries, state)
  }

  get names(): Iterable<FunctionName> {
    return this.#tallies.keys()
  }

  forget(name: FunctionName): void {
    this.#tallies.delete(name)
  }

  #tally(name: FunctionName): AsyncTally {
    let tally = this.#tallies.get(name)
    if (tally === undefined) {
      tally = new AsyncTally()
      this.#tallies.set(name, tally)
    }
    return tally
  }

  #registerLanes(registers: Registry[]): void {
    const gauge = (name: string, help: string, valuesOf: (reading: Reading) => Iterable<Value>): void => {
      void new ComputedMetric({ name, help, registers }, 'gauge', async () => valuesOf(await this.#read()))
    }
    gauge('hearth_lane_depth', 'Async invocations by function and state', ({ lanes }) => depths(lanes, functionOf))
    gauge('hearth_delivery_lane_depth', 'What is to be told to destinations, by function and state', ({ lanes }) =>
      depths(lanes, deliveriesOf),
    )
    gauge('hearth_lane_oldest_seconds', 'Age of the async invocation that waits longest, by function', ({ lanes }) =>
      this.#ages(lanes),
    )
    gauge('hearth_dead_letters', 'Dead letters by function', function* ({ deadLetters }) {
      for (const [name, value] of deadLetters) yield { labels: { function: name }, value }
    })
  }

  #registerTallies(registers: Registry[]): void {
    const counter = (name: string, help: string, valuesOf: (tally: AsyncTally) => Iterable<CountOf>): void => {
      const values = async (): Promise<Value[]> =>
        [...this.#tallies].flatMap(([of, tally]) =>
          [...valuesOf(tally)].map(([labels, value]) => ({ labels: { function: of, ...labels }, value })),
        )
      void new ComputedMetric({ name, help, registers }, 'counter', values)
    }
    counter('hearth_async_total', 'Async invocations that are over, by function and state', ({ ended }) =>
      byState(ended),
    )
    counter('hearth_async_attempts_total', 'Tries of async invocations that are over, by function', (tally) => [
      [{}, tally.attempts],
    ])
    counter('hearth_redeliveries_total', 'Takeovers from processes that died, by function', (tally) => [
      [{}, tally.redeliveries],
    ])
    counter('hearth_deliveries_total', 'Destinations that were told, by function and state', ({ deliveries }) =>
      byState(deliveries),
    )
  }

  /** Once for all metrics of a scrape. Nothing while the store does not answer. */
  #read(): Promise<Reading> {
    const { lanes, deadLetters } = this.#deps
    this.#reading ??= Promise.all([lanes.states(), deadLetters.counts()])
      .then(([states, counts]) => ({ lanes: states, deadLetters: counts }))
      .catch((): Reading => ({ lanes: new Map(), deadLetters: new Map() }))
      .finally(() => (this.#reading = undefined))
    return this.#reading
  }

  *#ages(lanes: Reading['lanes']): Iterable<Value> {
    const now = this.#deps.clock.now()
    for (const [lane, { oldestAt }] of lanes) {
      const name = functionOf(lane)
      if (name === undefined || oldestAt === undefined) continue
      yield { labels: { function: name }, value: Math.max(0, now - oldestAt) / 1000 }
    }
  }
}

type CountOf = readonly [labels: Readonly<Record<string, string>>, value: number]

function byState(counts: ReadonlyMap<string, number>): CountOf[] {
  return [...counts].map(([state, value]) => [{ state }, value])
}

function count<K>(counts: Map<K, number>, key: K): void {
  counts.set(key, (counts.get(key) ?? 0) + 1)
}

/** The function of a lane in which calls wait. */
function functionOf(lane: LaneName): FunctionName | undefined {
  return deliveriesOf(lane) === undefined ? (lane as FunctionName) : undefined
}

function* depths(lanes: Reading['lanes'], nameOf: (lane: LaneName) => FunctionName | undefined): Iterable<Value> {
  for (const [lane, { waiting, delayed, running }] of lanes) {
    const name = nameOf(lane)
    if (name === undefined) continue
    for (const [state, value] of Object.entries({ waiting, delayed, running })) {
      yield { labels: { function: name, state }, value }
    }
  }
}

type MetricObject = Awaited<ReturnType<Gauge['get']>>

/** A metric whose values are known elsewhere: prom-client would hash the labels of each. */
class ComputedMetric extends Gauge {
  readonly #shape: { readonly name: string; readonly help: string }
  readonly #type: 'gauge' | 'counter'
  readonly #values: () => Promise<Iterable<Value>>

  constructor(
    shape: { name: string; help: string; registers: Registry[] },
    type: 'gauge' | 'counter',
    values: () => Promise<Iterable<Value>>,
  ) {
    super(shape)
    this.#shape = shape
    this.#type = type
    this.#values = values
  }

  override async get(): Promise<MetricObject> {
    const { name, help } = this.#shape
    const values = [...(await this.#values())]
    // Its type says that kinds are numbers; what renders the text wants their names.
    return { name, help, type: this.#type, aggregator: 'sum', values } as unknown as MetricObject
  }
}
