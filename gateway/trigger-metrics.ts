// What /metrics tells of triggers: those that this process serves, and the event bus.
import { Counter, Gauge } from 'prom-client'
import type { Registry } from 'prom-client'

import type { TriggerCounter } from '#core/trigger'

import type { Published } from './triggers/bus.ts'
import type { ServedTrigger } from './triggers/served-trigger.ts'

const COUNTERS: readonly TriggerCounter[] = ['received', 'matched', 'invocations', 'redelivered', 'failed']

export class TriggerMetrics {
  readonly #published: Counter<'outcome'>

  /** @param served those of this process, at every scrape */
  constructor(served: () => Iterable<ServedTrigger>, registers: Registry[]) {
    this.#published = new Counter({
      name: 'hearth_bus_events_total',
      help: 'Events published to the bus: accepted, not wanted by any trigger, and deliveries to triggers',
      labelNames: ['outcome'],
      registers,
    })
    const events = new Counter({
      name: 'hearth_trigger_events_total',
      help: 'Events of triggers, and the invocations made of them, since this process serves the trigger',
      labelNames: ['trigger', 'outcome'],
      registers,
      collect() {
        events.reset()
        for (const { trigger, tally } of served()) {
          for (const outcome of COUNTERS) events.inc({ trigger: trigger.name, outcome }, tally.totals[outcome])
        }
      },
    })
    registerGauges(served, registers)
  }

  published({ accepted, deliveries, unmatched, refused }: Published): void {
    this.#published.inc({ outcome: 'accepted' }, accepted)
    this.#published.inc({ outcome: 'delivered' }, deliveries)
    this.#published.inc({ outcome: 'unmatched' }, unmatched)
    this.#published.inc({ outcome: 'refused' }, refused)
  }
}

function registerGauges(served: () => Iterable<ServedTrigger>, registers: Registry[]): void {
  const gauges = [
    ['hearth_trigger_under_way', 'Invocations of triggers that are not over', (of) => of.underWay.count],
    ['hearth_trigger_lag_events', 'Events that wait at the source of a trigger', (of) => of.tally.lag.events],
    ['hearth_trigger_lag_seconds', 'Age of the oldest event at the source', (of) => seconds(of.tally.lag.ms)],
  ] as const satisfies readonly (readonly [string, string, (of: ServedTrigger) => number | undefined])[]
  for (const [name, help, read] of gauges) {
    const gauge = new Gauge({
      name,
      help,
      labelNames: ['trigger'],
      registers,
      collect() {
        gauge.reset()
        for (const of of served()) {
          const value = read(of)
          if (value !== undefined) gauge.set({ trigger: of.trigger.name }, value)
        }
      },
    })
  }
}

function seconds(ms: number | undefined): number | undefined {
  return ms === undefined ? undefined : ms / 1000
}
