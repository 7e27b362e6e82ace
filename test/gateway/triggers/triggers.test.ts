import { describe, expect, it } from 'vitest'

import type { CloudEvent } from '#core/event'
import { parseFunctionName, parseTriggerName } from '#core/ids'
import { eventsSource } from '#gateway/sources/events/source'
import { publish } from '#gateway/triggers/bus'
import { Triggers } from '#gateway/triggers/triggers'
import { settle } from '#test/invoker/manual-clock'

import { Desk, HandSource, received, triggerOf } from './desk.ts'

function open(desk: Desk, source: HandSource, owner = 'me'): Triggers {
  const sources = { amqp: source, events: eventsSource }
  return new Triggers({ ...desk.deps, sources, owner, onFault: () => {} })
}

const NAME = parseTriggerName('orders')
const AMQP = triggerOf({ kind: 'amqp', filter: undefined }).spec

describe('triggers', () => {
  it('are served from the start, changed, disabled and removed while they are', async () => {
    const desk = await Desk.open()
    const source = new HandSource()
    await desk.triggers.put(NAME, AMQP, 0)
    await using triggers = open(desk, source)
    await triggers.start()
    await settle()
    expect(source.contexts).toHaveLength(1)
    await desk.triggers.put(NAME, { ...AMQP, concurrency: 3 }, 1)
    await settle()
    expect(source.contexts.map(({ prefetch }) => prefetch)).toEqual([10, 3])
    expect(source.contexts[0]?.signal.aborted).toBe(true)
    await desk.triggers.put(NAME, { ...AMQP, concurrency: 3 }, 2)
    await settle()
    expect(source.contexts).toHaveLength(2)
    await desk.triggers.put(NAME, { ...AMQP, enabled: false }, 3)
    await settle()
    expect(source.context.signal.aborted).toBe(true)
    await desk.triggers.put(NAME, AMQP, 4)
    await settle()
    expect(source.contexts).toHaveLength(3)
    await desk.triggers.remove(NAME)
    await settle()
    expect(source.context.signal.aborted).toBe(true)
    expect(source.disposed).toBe(3)
  })

  it('of pull sources are served by one process, and by the next when that one ends', async () => {
    const desk = await Desk.open()
    const [one, two] = [new HandSource(), new HandSource()]
    await desk.triggers.put(NAME, AMQP, 0)
    const first = open(desk, one, 'one')
    await first.start()
    await using second = open(desk, two, 'two')
    await second.start()
    await settle()
    expect([one.contexts.length, two.contexts.length]).toEqual([1, 0])
    await first[Symbol.asyncDispose]()
    expect(one.disposed).toBe(1)
    await desk.clock.pass(5000)
    expect(two.contexts).toHaveLength(1)
  })

  it('are given up by a process that has lost the lead', async () => {
    const desk = await Desk.open()
    const source = new HandSource()
    await desk.triggers.put(NAME, AMQP, 0)
    await using triggers = open(desk, source)
    await triggers.start()
    await settle()
    desk.triggers.leaders.set(NAME, 'another')
    await desk.clock.pass(5000)
    expect(source.context.signal.aborted).toBe(true)
    expect(source.disposed).toBe(1)
  })

  it('count the invocations that failed', async () => {
    const desk = await Desk.open()
    const source = new HandSource()
    await desk.triggers.put(NAME, AMQP, 0)
    await using triggers = open(desk, source)
    await triggers.start()
    await settle()
    await Promise.all(['a', 'b', 'c'].map((id) => source.context.accept(received(id))))
    const ids = desk.lanes.added.map(({ id }) => id)
    await desk.finish(ids[0] as never, 'failed')
    await desk.finish(ids[1] as never, 'succeeded')
    await desk.finish(ids[2] as never, 'expired')
    await desk.clock.pass(3000)
    expect(await desk.triggers.status(NAME)).toMatchObject({ failed: 2, invocations: 3, underWay: 0 })
  })
})

function eventOf(id: string, type: string): CloudEvent {
  return { ...received(id).event, attributes: { id, source: '/s', type } }
}

describe('the bus', () => {
  it('gives an event to every trigger that wants it, once', async () => {
    const desk = await Desk.open()
    const spec = triggerOf({ concurrency: 0 }).spec
    await desk.triggers.put(parseTriggerName('all'), spec, 0)
    await desk.triggers.put(parseTriggerName('paid'), { ...spec, filter: { type: [{ suffix: '.paid' }] } }, 0)
    await desk.triggers.put(parseTriggerName('off'), { ...spec, enabled: false }, 0)
    await using triggers = open(desk, new HandSource())
    await triggers.start()
    const events = [eventOf('1', 'order.paid'), eventOf('2', 'order.made')]
    expect(await publish(triggers, events)).toEqual({ accepted: 2, deliveries: 3, unmatched: 0, refused: 0 })
    expect(await publish(triggers, events)).toEqual({ accepted: 2, deliveries: 3, unmatched: 0, refused: 0 })
    const causes = desk.lanes.added.map(({ cause }) => `${cause.trigger} ${cause.events?.join()}`)
    expect(causes.toSorted((a, b) => (a < b ? -1 : 1))).toEqual(['all 1', 'all 2', 'paid 1'])
  })

  it('goes on without a trigger whose function is not there', async () => {
    const desk = await Desk.open()
    const { spec } = triggerOf({ concurrency: 0 })
    await desk.triggers.put(parseTriggerName('fine'), spec, 0)
    await desk.triggers.put(parseTriggerName('orphan'), { ...spec, function: parseFunctionName('gone') }, 0)
    await using triggers = open(desk, new HandSource())
    await triggers.start()
    const published = await publish(triggers, [eventOf('1', 'x')])
    expect(published).toEqual({ accepted: 1, deliveries: 1, unmatched: 0, refused: 1 })
    expect(desk.lanes.added).toHaveLength(1)
  })

  it('fails as a whole when one trigger cannot take it, and says how many nobody wanted', async () => {
    const desk = await Desk.open()
    const spec = triggerOf({ concurrency: 0, filter: { type: [{ equals: 'x' }] } }).spec
    await desk.triggers.put(parseTriggerName('x'), spec, 0)
    await using triggers = open(desk, new HandSource())
    await triggers.start()
    expect(await publish(triggers, [received('1').event])).toEqual({
      accepted: 1,
      deliveries: 0,
      unmatched: 1,
      refused: 0,
    })
    desk.lanes.down = new Error('away')
    await expect(publish(triggers, [eventOf('2', 'x')])).rejects.toThrow(
      expect.objectContaining({ code: 'store-unavailable' }),
    )
  })
})
