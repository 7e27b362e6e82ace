// What /metrics tells of sandboxes. They are asked once for all metrics: that reads a file for every container.
import { Counter, Gauge, type Registry } from 'prom-client'

import type { DriverSandboxes, StateMemory, WakeCost } from '#core/invoker'

const MIB = 1024 * 1024

type Values = Iterable<readonly [state: string, value: number]>

export class SandboxMetrics {
  readonly #metrics: readonly {
    readonly metric: Gauge<'driver' | 'state'> | Counter<'driver' | 'state'>
    readonly valuesOf: (driver: DriverSandboxes) => Values
  }[]

  constructor(registers: Registry[]) {
    const of = (name: string, help: string) => ({ name, help, labelNames: ['driver', 'state'] as const, registers })
    this.#metrics = [
      {
        metric: new Gauge(of('hearth_sandboxes', 'Sandboxes by driver and state')),
        valuesOf: ({ counts }) => Object.entries(counts),
      },
      {
        metric: new Gauge(of('hearth_sandbox_counted_bytes', 'What sandboxes count with in the memory budget')),
        valuesOf: memories(({ countedMiB }) => countedMiB * MIB),
      },
      {
        metric: new Gauge(of('hearth_sandbox_resident_bytes', 'What sandboxes hold, where the driver can tell')),
        valuesOf: memories(({ residentBytes }) => residentBytes),
      },
      {
        metric: new Counter(of('hearth_wakes_total', 'Sandboxes woken for calls, by the state they were in')),
        valuesOf: costs(({ count }) => count),
      },
      {
        metric: new Counter(of('hearth_wake_seconds_total', 'Time to wake them, until they answered')),
        valuesOf: costs(({ totalMs }) => totalMs / 1000),
      },
      {
        metric: new Gauge(of('hearth_wake_median_seconds', 'Median of the last 64 wakes')),
        valuesOf: costs(({ medianMs }) => medianMs / 1000),
      },
    ]
  }

  /** Brings the metrics up to date. */
  fill(drivers: readonly DriverSandboxes[]): void {
    for (const { metric, valuesOf } of this.#metrics) {
      metric.reset()
      for (const each of drivers) {
        for (const [state, value] of valuesOf(each)) metric.inc({ driver: each.driver, state }, value)
      }
    }
  }
}

function memories(valueOf: (memory: StateMemory) => number | undefined): (driver: DriverSandboxes) => Values {
  return ({ memory }) =>
    Object.entries(memory).flatMap(([state, held]) => {
      const value = valueOf(held)
      return value === undefined ? [] : [[state, value] as const]
    })
}

function costs(valueOf: (cost: WakeCost) => number): (driver: DriverSandboxes) => Values {
  return ({ wakes }) => Object.entries(wakes).map(([state, cost]) => [state, valueOf(cost)] as const)
}
