import { describe, expect, it } from 'vitest'

import { parseTriggerName } from '#core/ids'
import { scheduleSource } from '#gateway/sources/schedule/source'
import type { ScheduleOptions } from '#gateway/sources/schedule/options'
import type { OpenSource, ReceivedEvent } from '#gateway/sources/source'
import { ManualClock, settle } from '#test/invoker/manual-clock'

interface Running extends AsyncDisposable {
  readonly received: ReceivedEvent[]
  readonly source: OpenSource
  /** What the next accept() waits for. */
  hold: Promise<unknown>
}

/** @param kept outlives a source, as the store does */
async function start(
  clock: ManualClock,
  kept: { state?: string },
  options: Partial<ScheduleOptions>,
): Promise<Running> {
  const stop = new AbortController()
  const running = { received: [] as ReceivedEvent[], hold: Promise.resolve() as Promise<unknown> }
  const source = await scheduleSource.open({
    trigger: parseTriggerName('tick'),
    options: { cron: '', timeZone: 'UTC', every: '', at: '', missed: 'once', data: '', ...options },
    redisUrl: '',
    prefetch: 1,
    clock,
    signal: stop.signal,
    async accept(event) {
      running.received.push(event)
      await running.hold
    },
    onFailing: () => {},
    onListening: () => {},
    state: {
      get: async () => kept.state,
      set: async (state) => void (kept.state = state),
    },
  })
  source.ended.catch(() => {})
  return Object.assign(running, {
    source,
    async [Symbol.asyncDispose]() {
      stop.abort(new Error('stop'))
      await source[Symbol.asyncDispose]()
    },
  })
}

const TIMES = ({ received }: Running): unknown[] => received.map(({ event }) => event.attributes.time)

describe('a schedule', () => {
  it('makes an event at each time, with the time as its id and key', async () => {
    const clock = new ManualClock()
    await using running = await start(clock, {}, { every: '10s', data: '{"n":1}' })
    await clock.pass(30_000)
    expect(running.received).toHaveLength(3)
    const [{ event, key } = { event: undefined, key: undefined }] = running.received
    expect(event?.attributes).toEqual({
      id: key,
      source: '/triggers/tick',
      type: 'dev.hearth.schedule',
      time: key,
      datacontenttype: 'application/json',
    })
    expect(Buffer.from(event?.data ?? []).toString()).toBe('{"n":1}')
    expect(new Date(key ?? '').getTime() % 10_000).toBe(0)
    expect(await running.source.lag?.()).toEqual({ nextAt: expect.any(Number) })
  })

  it('does not start with a run, and goes on after a restart where it was', async () => {
    const clock = new ManualClock()
    const kept = {}
    {
      await using first = await start(clock, kept, { every: '10s' })
      await clock.pass(15_000)
      expect(first.received).toHaveLength(1)
    }
    await using second = await start(clock, kept, { every: '10s' })
    await clock.pass(1)
    expect(second.received).toEqual([])
    await clock.pass(10_000)
    expect(second.received).toHaveLength(1)
  })

  it.each([
    ['skip', 0],
    ['once', 1],
    ['all', 6],
  ] as const)('with %s makes up for %i of six runs that were due while it was down', async (missed, count) => {
    const clock = new ManualClock()
    const kept = {}
    await (await start(clock, kept, { every: '10m', missed }))[Symbol.asyncDispose]()
    await clock.pass(3_630_000)
    await using running = await start(clock, kept, { every: '10m', missed })
    await clock.pass(1)
    expect(running.received).toHaveLength(count)
    await clock.pass(600_000)
    expect(running.received).toHaveLength(count + 1)
  })

  it('runs one at a time, and one for all that were due meanwhile', async () => {
    const clock = new ManualClock()
    await using running = await start(clock, {}, { every: '10s' })
    const { promise, resolve } = Promise.withResolvers<void>()
    running.hold = promise
    await clock.pass(45_000)
    expect(running.received).toHaveLength(1)
    resolve()
    await settle()
    expect(running.received).toHaveLength(2)
    expect(new Date(String(TIMES(running)[1])).getTime()).toBe(Math.floor(clock.now() / 10_000) * 10_000)
  })

  it('runs once at a time, also when that was over before it began', async () => {
    const clock = new ManualClock()
    const kept = {}
    const at = new Date(clock.now() - 60_000).toISOString()
    {
      await using running = await start(clock, kept, { at })
      await clock.pass(1)
      expect(TIMES(running)).toEqual([at])
    }
    await using again = await start(clock, kept, { at })
    await clock.pass(3_600_000)
    expect(again.received).toEqual([])
    expect(await again.source.lag?.()).toEqual({})
  })
})
