import { Registry } from 'prom-client'
import { expect, test } from 'vitest'

import { LaneMetrics } from '#gateway/lane-metrics'
import type { FunctionName, InvocationId, LaneName } from '#core/ids'
import { deliveryLaneOf } from '#core/ids'
import type { LaneState } from '#core/queue'
import type { InvocationRecord } from '#core/record'
import { ManualClock } from '#test/invoker/manual-clock'

const UP = 'up' as FunctionName

function setUp(states: () => Promise<ReadonlyMap<LaneName, LaneState>>): {
  metrics: LaneMetrics
  lines: () => Promise<string[]>
} {
  const registry = new Registry()
  const clock = new ManualClock()
  const metrics = new LaneMetrics(
    { lanes: { states }, deadLetters: { counts: async () => new Map([[UP, 3]]) }, clock },
    [registry],
  )
  const lines = async (): Promise<string[]> =>
    (await registry.metrics()).split('\n').filter((line) => line !== '' && !line.startsWith('#'))
  return { metrics, lines }
}

test('lanes by state, the age of the oldest and dead letters are read once for a scrape', async () => {
  let reads = 0
  const oldestAt = new ManualClock().now() - 2500
  const { lines } = setUp(async () => {
    reads++
    return new Map<LaneName, LaneState>([
      [UP, { waiting: 5, delayed: 2, running: 1, oldestAt }],
      [deliveryLaneOf(UP), { waiting: 0, delayed: 4, running: 0 }],
    ])
  })
  expect(await lines()).toEqual([
    'hearth_lane_depth{function="up",state="waiting"} 5',
    'hearth_lane_depth{function="up",state="delayed"} 2',
    'hearth_lane_depth{function="up",state="running"} 1',
    'hearth_delivery_lane_depth{function="up",state="waiting"} 0',
    'hearth_delivery_lane_depth{function="up",state="delayed"} 4',
    'hearth_delivery_lane_depth{function="up",state="running"} 0',
    'hearth_lane_oldest_seconds{function="up"} 2.5',
    'hearth_dead_letters{function="up"} 3',
  ])
  expect(reads).toBe(1)
  await lines()
  expect(reads).toBe(2)
})

test('what became of async invocations is counted, and forgotten with the function', async () => {
  const { metrics, lines } = setUp(async () => new Map())
  const record = (change: Partial<InvocationRecord>): InvocationRecord => ({
    id: 'x' as InvocationId,
    function: UP,
    version: 1 as never,
    trigger: 'async',
    state: 'succeeded',
    request: { method: 'POST', target: '/', bodyBytes: 0 },
    acceptedAt: 1,
    attempts: [{ number: 1, startedAt: 1, state: 'succeeded' }],
    ...change,
  })
  metrics.ended(record({}))
  metrics.ended(record({ redeliveries: 2 }))
  metrics.ended(record({ state: 'expired', attempts: [] }))
  metrics.delivered(UP, 'failed')
  const counted = (await lines()).filter((line) => line.includes('_total'))
  expect(counted).toEqual([
    'hearth_async_total{function="up",state="succeeded"} 2',
    'hearth_async_total{function="up",state="expired"} 1',
    'hearth_async_attempts_total{function="up"} 2',
    'hearth_redeliveries_total{function="up"} 2',
    'hearth_deliveries_total{function="up",state="failed"} 1',
  ])
  metrics.forget(UP)
  expect((await lines()).filter((line) => line.includes('_total'))).toEqual([])
})

test('a store that does not answer takes only its own numbers away', async () => {
  const { metrics, lines } = setUp(() => Promise.reject(new Error('down')))
  metrics.delivered(UP, 'delivered')
  expect(await lines()).toContain('hearth_deliveries_total{function="up",state="delivered"} 1')
})
