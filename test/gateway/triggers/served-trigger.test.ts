import { describe, expect, it } from 'vitest'

import { PlatformError } from '#core/errors'
import type { InvocationId } from '#core/ids'
import { servePull, servePush } from '#gateway/triggers/served-trigger'
import { settle } from '#test/invoker/manual-clock'

import { Desk, HandSource, NAME, received, triggerOf } from './desk.ts'

const AWAY = new PlatformError('store-unavailable', { detail: 'Redis does not answer' })

describe('an event', () => {
  it('is in the lane and in a record when it is accepted', async () => {
    const desk = await Desk.open()
    await using served = servePush(desk.deps, triggerOf({ path: '/in?x=1', maxAgeMs: 60_000 }))
    await served.accept(received('a'))
    const [invocation] = desk.lanes.added
    expect(invocation).toMatchObject({
      trigger: 'event',
      cause: { trigger: NAME, events: ['a'] },
      request: { method: 'POST', target: '/in?x=1' },
      expiresAt: desk.clock.now() + 60_000,
      retry: { maxAttempts: 3 },
    })
    expect(Object.fromEntries(invocation?.request.headers ?? [])).toMatchObject({
      'ce-id': 'a',
      'ce-type': 'test',
      'content-type': 'text/plain',
    })
    const record = invocation && (await desk.records.get(invocation.id))
    expect(record).toMatchObject({ state: 'queued', cause: { trigger: NAME, events: ['a'] } })
    await served.tally.flush()
    expect(await desk.triggers.status(NAME)).toMatchObject({
      received: 1,
      matched: 1,
      invocations: 1,
      state: 'listening',
    })
  })

  it('that does not match the filter is counted and nothing else', async () => {
    const desk = await Desk.open()
    await using served = servePush(desk.deps, triggerOf({ filter: { type: [{ equals: 'other' }] } }))
    expect(await served.accept(received('a'))).toBe(false)
    expect(desk.lanes.added).toEqual([])
    expect(served.tally.totals).toMatchObject({ received: 1, matched: 0 })
  })

  it('with a known key does not run again, now or after a restart; without one it does', async () => {
    const desk = await Desk.open()
    {
      await using served = servePush(desk.deps, triggerOf())
      await Promise.all([served.accept(received('a')), served.accept(received('a')), served.accept(received('b'))])
      await served.accept(received('a'))
      expect(desk.queued).toEqual([['a'], ['b']])
      expect(served.tally.totals).toMatchObject({ redelivered: 2, invocations: 2 })
    }
    await using served = servePush(desk.deps, triggerOf())
    await served.accept(received('a'))
    expect(desk.queued).toEqual([['a'], ['b']])
    await served.accept(received('a', { redelivered: true }))
    expect(served.tally.totals).toMatchObject({ redelivered: 2 })
    const { key: _key, ...keyless } = received('a')
    await served.accept(keyless)
    expect(desk.queued).toEqual([['a'], ['b'], ['a']])
  })

  it('with a known key and other content is another event: the stream was made anew', async () => {
    const desk = await Desk.open()
    await using served = servePush(desk.deps, triggerOf())
    await served.accept(received('a'))
    await served.accept(received('b', { key: 'a' }))
    expect(desk.queued).toEqual([['a'], ['b']])
  })

  it('fails for whoever sent it when the store is away, and is taken when it is sent again', async () => {
    const desk = await Desk.open()
    await using served = servePush(desk.deps, triggerOf())
    desk.lanes.down = AWAY
    await expect(served.accept(received('a'))).rejects.toThrow(expect.objectContaining({ code: 'store-unavailable' }))
    desk.lanes.down = undefined
    await served.accept(received('a'))
    expect(desk.queued).toEqual([['a']])
  })

  it('whose answer was lost when it was queued runs once when it is sent again', async () => {
    const desk = await Desk.open()
    await using served = servePush(desk.deps, triggerOf())
    desk.lanes.lost = AWAY
    desk.lanes.cancel = () => Promise.reject(AWAY)
    desk.lanes.has = () => Promise.reject(AWAY)
    await expect(served.accept(received('a'))).rejects.toThrow()
    desk.lanes.lost = undefined
    for (const method of ['cancel', 'has']) Reflect.deleteProperty(desk.lanes, method)
    await served.accept(received('a'))
    expect(desk.queued).toEqual([['a']])
    expect(served.tally.totals).toMatchObject({ redelivered: 1 })
  })

  it('of a function that is not there is refused', async () => {
    const desk = await Desk.open()
    await using served = servePush(desk.deps, triggerOf({ function: 'gone' }))
    await expect(served.accept(received('a'))).rejects.toThrow(expect.objectContaining({ code: 'function-not-found' }))
  })
})

describe('a batch', () => {
  it('is full at batchSize, or goes when the window is over', async () => {
    const desk = await Desk.open()
    await using served = servePush(desk.deps, triggerOf({ batchSize: 3, batchWindowMs: 1000 }))
    const accepting = ['a', 'b', 'c', 'd'].map((id) => served.accept(received(id)))
    await settle()
    expect(desk.queued).toEqual([['a', 'b', 'c']])
    await desk.clock.pass(999)
    expect(desk.queued).toHaveLength(1)
    await desk.clock.pass(1)
    expect(desk.queued).toEqual([['a', 'b', 'c'], ['d']])
    await Promise.all(accepting)
  })

  it('is full at so many bytes; an event that is too large goes alone', async () => {
    const desk = await Desk.open()
    await using served = servePush(
      { ...desk.deps, maxBatchBytes: 5 },
      triggerOf({ batchSize: 10, batchWindowMs: 1000 }),
    )
    const accepting = ['aaa', 'bb', 'c', 'dddddddd', 'e'].map((id) => served.accept(received(id)))
    await settle()
    expect(desk.queued).toEqual([['aaa', 'bb'], ['c'], ['dddddddd']])
    await desk.clock.pass(1000)
    expect(desk.queued.at(-1)).toEqual(['e'])
    await Promise.all(accepting)
  })

  it('without a window takes what is there', async () => {
    const desk = await Desk.open()
    await using served = servePush(desk.deps, triggerOf({ batchSize: 10 }))
    await Promise.all(['a', 'b'].map((id) => served.accept(received(id))))
    expect(desk.queued).toEqual([['a', 'b']])
  })

  it('leaves out what is known', async () => {
    const desk = await Desk.open()
    await using served = servePush(desk.deps, triggerOf({ batchSize: 10 }))
    await served.accept(received('b'))
    await Promise.all(['a', 'b', 'c', 'a'].map((id) => served.accept(received(id))))
    expect(desk.queued).toEqual([['b'], ['a', 'c']])
  })
})

async function open(spec: Readonly<Record<string, unknown>> = {}): Promise<{
  desk: Desk
  source: HandSource
  served: ReturnType<typeof servePull>
}> {
  const desk = await Desk.open()
  const source = new HandSource()
  const served = servePull(desk.deps, triggerOf({ kind: 'amqp', ...spec }), source)
  await settle()
  return { desk, source, served }
}

describe('a source', () => {
  it('is held back while as many invocations as may be are under way', async () => {
    const { desk, source, served } = await open({ concurrency: 2 })
    expect(source.context.prefetch).toBe(2)
    const done: string[] = []
    for (const id of ['a', 'b', 'c', 'd']) {
      source.context.accept(received(id)).then(
        () => done.push(id),
        () => undefined,
      )
    }
    await settle()
    expect(done).toEqual(['a', 'b'])
    await desk.finish(desk.lanes.added[0]?.id as never)
    expect(done).toEqual(['a', 'b', 'c'])
    await desk.clock.pass(6000)
    expect(await desk.triggers.status(NAME)).toMatchObject({ underWay: 2, lag: 7, lagMs: 500 })
    await served[Symbol.asyncDispose]()
  })

  it('counts what was under way before this process served it', async () => {
    const desk = await Desk.open()
    const before = servePush(desk.deps, triggerOf({ concurrency: 2 }))
    await before.accept(received('a'))
    await before[Symbol.asyncDispose]()
    const source = new HandSource()
    const served = servePull(desk.deps, triggerOf({ kind: 'amqp', concurrency: 1 }), source)
    await settle()
    void source.context.accept(received('b')).catch(() => {})
    await settle()
    expect(desk.queued).toEqual([['a']])
    await desk.finish(desk.lanes.added[0]?.id as never)
    expect(desk.queued).toEqual([['b']])
    await served[Symbol.asyncDispose]()
  })

  it('finds by the record that an invocation is over, when no message came', async () => {
    const { desk, source, served } = await open({ concurrency: 1 })
    await source.context.accept(received('a'))
    const waiting = source.context.accept(received('b'))
    await settle()
    const id = desk.lanes.added[0]?.id as never
    const record = await desk.records.get(id)
    desk.records.records.set(id, { ...(record as NonNullable<typeof record>), state: 'succeeded' })
    expect(desk.queued).toEqual([['a']])
    await desk.clock.pass(5000)
    expect(desk.queued).toEqual([['a'], ['b']])
    await waiting
    await served[Symbol.asyncDispose]()
  })

  it('waits while the store is away, says so, and goes on', async () => {
    const { desk, source, served } = await open()
    desk.lanes.down = AWAY
    let isDone = false
    void source.context.accept(received('a')).then(() => (isDone = true))
    await desk.clock.pass(3000)
    expect(isDone).toBe(false)
    expect(await desk.triggers.status(NAME)).toMatchObject({ state: 'failing', reason: expect.any(String) })
    desk.lanes.down = undefined
    await desk.clock.pass(10_000)
    expect(isDone).toBe(true)
    expect(desk.queued).toEqual([['a']])
    expect(await desk.triggers.status(NAME)).toMatchObject({ state: 'listening' })
    await served[Symbol.asyncDispose]()
  })

  it('is opened again, with growing delays, when it cannot be or is lost', async () => {
    const desk = await Desk.open()
    const source = new HandSource()
    source.broken = new Error('connect ECONNREFUSED 127.0.0.1:5672')
    const served = servePull(desk.deps, triggerOf({ kind: 'amqp' }), source)
    await settle()
    expect(await desk.triggers.status(NAME)).toMatchObject({
      state: 'failing',
      reason: expect.stringContaining('ECONNREFUSED'),
    })
    await desk.clock.pass(10_000)
    expect(source.contexts).toHaveLength(4)
    source.broken = undefined
    await desk.clock.pass(30_000)
    expect(await desk.triggers.status(NAME)).toMatchObject({ state: 'listening' })
    source.lost.reject(new Error('the connection was closed'))
    await settle()
    expect(source.disposed).toBe(1)
    expect(await desk.triggers.status(NAME)).toMatchObject({ state: 'failing', reason: 'the connection was closed' })
    await desk.clock.pass(30_000)
    expect(await desk.triggers.status(NAME)).toMatchObject({ state: 'listening' })
    await served[Symbol.asyncDispose]()
  })

  it('that is lost takes the events with it that wait, for its broker delivers them again', async () => {
    const desk = await Desk.open()
    const source = new HandSource()
    await using _served = servePull(desk.deps, triggerOf({ kind: 'amqp', concurrency: 1 }), source)
    await settle()
    const { key: _key, ...keyless } = received('b')
    await source.context.accept(received('a'))
    const lost = source.context
    const waiting = expect(lost.accept(keyless)).rejects.toThrow()
    source.lost.reject(new Error('the connection was closed'))
    await waiting
    await expect(lost.accept(keyless)).rejects.toThrow()
    await desk.clock.pass(30_000)
    const again = source.context.accept({ ...keyless, redelivered: true })
    const [first] = desk.lanes.added
    await desk.finish(first?.id as InvocationId)
    await again
    expect(desk.queued).toEqual([['b']])
  })

  it('that does not come to be open can be stopped, and is closed when it is', async () => {
    const desk = await Desk.open()
    const source = new HandSource()
    const gate = Promise.withResolvers<void>()
    source.gate = gate.promise
    const served = servePull(desk.deps, triggerOf({ kind: 'amqp' }), source)
    await settle()
    expect(await desk.triggers.status(NAME)).toMatchObject({ state: 'starting' })
    await served[Symbol.asyncDispose]()
    expect(source.disposed).toBe(0)
    gate.resolve()
    await settle()
    expect(source.disposed).toBe(1)
  })

  it('that is stopped gets back what is not queued, and leaves nothing behind', async () => {
    const { desk, source, served } = await open({ concurrency: 1 })
    const outcomes = await Promise.all([
      source.context.accept(received('a')).then(() => 'accepted'),
      settle().then(() => 'settled'),
    ])
    expect(outcomes).toEqual(['accepted', 'settled'])
    const waiting = source.context.accept(received('b')).then(
      () => 'accepted',
      () => 'given back',
    )
    await settle()
    await served[Symbol.asyncDispose]()
    expect(await waiting).toBe('given back')
    expect(source.context.signal.aborted).toBe(true)
    expect(source.disposed).toBe(1)
    expect(desk.clock.pending).toBe(0)
    await expect(source.context.accept(received('c'))).rejects.toThrow()
  })
})
