// What the consumer does with an invocation before and instead of running it, and for whom it has slots.
import { describe, expect, test } from 'vitest'

import { deliveryLaneOf } from '#core/ids'

import { type Answer, scripted } from './scripted.ts'

const failing: Answer = () => ({ kind: 'failed', failure: { type: 'Error', message: 'oh' } })

const events = (...ids: string[]) => ({
  cause: { events: ids },
  request: {
    method: 'POST',
    target: '/',
    origin: 'http://test',
    headers: [['content-type', 'application/cloudevents-batch+json']] as const,
    body: Buffer.from(JSON.stringify(ids.map((id) => ({ specversion: '1.0', id, source: 's', type: 't' })))),
  },
})
const partly = (...ids: string[]): string =>
  JSON.stringify({ batchItemFailures: ids.map((itemIdentifier) => ({ itemIdentifier })) })
const idsIn = (body: unknown): string[] =>
  (JSON.parse(Buffer.from(body as Uint8Array).toString()) as { id: string }[]).map(({ id }) => id)

describe('an invocation that is too old', () => {
  test('expires without being run, and is a dead letter', async () => {
    const house = scripted()
    const version = house.deployed('work')
    const id = await house.submit(version, { expiresAt: house.clock.now() + 100 })
    await house.clock.pass(100)
    await using _consumer = house.consumer()
    await house.clock.pass(50)
    expect(house.ran).toEqual([])
    expect(house.record(id)).toMatchObject({ state: 'expired', attempts: [], error: { code: 'wait-timed-out' } })
    expect(house.deadLetters.letters.get(id)).toMatchObject({ state: 'expired', attempts: 0 })
  })

  test('may still be tried again when its first attempt was in time', async () => {
    const house = scripted({ answer: failing })
    await using _consumer = house.consumer()
    const id = await house.submit(house.deployed('work'), { expiresAt: house.clock.now() + 100 })
    await house.clock.pass(10_000)
    expect(house.ran).toHaveLength(3)
    expect(house.record(id)).toMatchObject({ state: 'failed' })
  })

  test('expires while its function has no room', async () => {
    let room = 1
    const house = scripted({ answer: ({ stopped }) => stopped, room: () => room })
    await using _consumer = house.consumer()
    const version = house.deployed('work', { maxAgeMs: 2000 })
    await house.submit(version)
    await house.clock.pass(10)
    room = 0
    const expiresAt = house.clock.now() + 2000
    const ids = [await house.submit(version, { expiresAt }), await house.submit(version, { expiresAt })]
    const young = await house.submit(version, { expiresAt: house.clock.now() + 60_000 })
    await house.clock.pass(10_000)
    expect(ids.map((id) => house.record(id)?.state)).toEqual(['expired', 'expired'])
    expect(house.record(young)).toBeUndefined()
    expect(house.ran).toHaveLength(1)
  })

  test('a limit in the far future is none', async () => {
    const house = scripted()
    await using _consumer = house.consumer()
    const id = await house.submit(house.deployed('work'), { expiresAt: house.clock.now() + 365 * 86_400_000 })
    await house.clock.pass(10)
    expect(house.record(id)?.state).toBe('succeeded')
  })
})

describe('a cancelled invocation', () => {
  test('is stopped where it runs, and neither tried again nor a dead letter', async () => {
    const house = scripted({ answer: ({ stopped }) => stopped })
    await using _consumer = house.consumer()
    const version = house.deployed('work', { onFailure: 'function:told' })
    const id = await house.submit(version)
    await house.clock.pass(10)
    expect(await house.lanes.cancel(version.function, id)).toBe('told')
    await house.clock.pass(10)
    expect(house.record(id)).toMatchObject({
      state: 'cancelled',
      error: { code: 'cancelled' },
      attempts: [{ number: 1, state: 'cancelled' }],
    })
    expect(house.record(id)).not.toHaveProperty('deliveries')
    expect(house.deadLetters.letters.size).toBe(0)
    expect(house.lanes.completed).toEqual([id])
  })

  test('that has answered all the same has succeeded', async () => {
    const house = scripted({
      answer: async ({ respond, stopped }) => {
        await stopped
        return respond(200, 'done')
      },
    })
    await using _consumer = house.consumer()
    const version = house.deployed('work')
    const id = await house.submit(version)
    await house.clock.pass(10)
    await house.lanes.cancel(version.function, id)
    await house.clock.pass(10)
    expect(house.record(id)).toMatchObject({ state: 'succeeded', result: { body: 'done' } })
  })
})

describe('a batch of events', () => {
  test('that failed in part is tried again with what is left', async () => {
    const answers = [partly('b', 'c'), partly('c'), '{"batchItemFailures":[]}']
    const house = scripted({ answer: ({ respond }) => respond(200, answers.shift() ?? '') })
    await using _consumer = house.consumer()
    const id = await house.submit(house.deployed('work'), events('a', 'b', 'c'))
    await house.clock.pass(10_000)
    expect(house.ran.map(({ request }) => idsIn(request.body))).toEqual([['a', 'b', 'c'], ['b', 'c'], ['c']])
    expect(house.record(id)).toMatchObject({
      state: 'succeeded',
      attempts: [
        { state: 'failed', error: { code: 'function-failed', message: '2 of the 3 events of the batch failed' } },
        { state: 'failed', error: { message: '1 of the 2 events of the batch failed' } },
        { state: 'succeeded' },
      ],
    })
  })

  test('leaves what never worked as a dead letter', async () => {
    const house = scripted({ answer: ({ respond }) => respond(200, partly('b')) })
    await using _consumer = house.consumer()
    const id = await house.submit(house.deployed('work', { maxAttempts: 1 }), events('a', 'b', 'c'))
    await house.clock.pass(100)
    const letter = house.deadLetters.letters.get(id)
    expect(letter).toMatchObject({ state: 'failed', invocation: { cause: { events: ['b'] } } })
    expect(idsIn(letter?.invocation.request.body)).toEqual(['b'])
    expect(house.record(id)).toMatchObject({ state: 'failed', cause: { events: ['b'] } })
  })

  test('is looked into although records keep no results', async () => {
    const answers = [partly('b')]
    const house = scripted({ answer: ({ respond }) => respond(200, answers.shift() ?? 'ok'), maxResultBytes: 0 })
    await using _consumer = house.consumer()
    const id = await house.submit(house.deployed('work'), events('a', 'b'))
    await house.clock.pass(10_000)
    expect(house.ran).toHaveLength(2)
    expect(house.record(id)?.result).toEqual({ status: 200, headers: [], bodyBytes: 2 })
  })
})

describe('the consumer', () => {
  test('runs the version that the call was accepted for', async () => {
    const house = scripted()
    const first = house.deployed('work')
    const old = await house.submit(first)
    const second = house.deployed('work', {}, 2)
    const young = await house.submit(second)
    await using _consumer = house.consumer()
    await house.clock.pass(50)
    const versions = new Map(house.ran.map(({ id, version }) => [id, version.number]))
    expect([versions.get(old), versions.get(young)]).toEqual([1, 2])
  })

  test('sets the limits of a lane, those of a new version too, and keeps to them', async () => {
    const house = scripted({
      answer: async ({ respond }) => {
        await new Promise<void>((resolve) => void house.clock.after(10, resolve))
        return respond(200, 'ok')
      },
    })
    await using _consumer = house.consumer()
    const version = house.deployed('work', { asyncConcurrency: 2, asyncRatePerS: 7 })
    for (let n = 0; n < 10; n++) await house.submit(version)
    await house.clock.pass(500)
    expect(house.ran).toHaveLength(10)
    expect(house.lanes.limits.get(version.function)).toEqual({ concurrency: 2, ratePerS: 7 })
    expect(house.lanes.peaks.get(version.function)).toBe(2)
    const next = house.deployed('work', { asyncConcurrency: 3 }, 2)
    await house.submit(next)
    await house.clock.pass(50)
    expect(house.lanes.limits.get(version.function)).toEqual({ concurrency: 3, ratePerS: 0 })
  })

  test('keeps a slot for a lane that runs nothing', async () => {
    const house = scripted({ answer: ({ stopped }) => stopped, maxRunning: 4 })
    await using _consumer = house.consumer()
    const greedy = house.deployed('greedy')
    for (let n = 0; n < 10; n++) await house.submit(greedy)
    await house.clock.pass(50)
    expect(house.ran).toHaveLength(3)
    await house.submit(house.deployed('other'))
    await house.clock.pass(5)
    expect(house.ran.at(-1)?.version.function).toBe('other')
    expect(house.ran).toHaveLength(4)
  })

  test('lets a lane that finds no room wait where the pool sees it', async () => {
    const house = scripted({ answer: ({ stopped }) => stopped, room: () => 0 })
    await using _consumer = house.consumer()
    const version = house.deployed('hungry')
    await house.submit(version)
    await house.submit(version)
    await house.clock.pass(900)
    expect(house.ran).toHaveLength(0)
    await house.clock.pass(2500)
    expect(house.ran).toHaveLength(1)
  })

  test('looks at a few of many lanes at a time when room comes', async () => {
    let room = 0
    let asked = 0
    const house = scripted({
      room: () => {
        asked += 1
        return room
      },
    })
    await using _consumer = house.consumer()
    for (let n = 0; n < 500; n++) await house.submit(house.deployed(`lane-${n}`))
    await house.clock.pass(20)
    asked = 0
    house.roomChanged()
    await house.clock.pass(1)
    expect(asked).toBeLessThanOrEqual(32)
    room = 1
    house.roomChanged()
    await house.clock.pass(100)
    expect(house.ran).toHaveLength(500)
  })

  test('leaves deliveries alone that it has no destinations for', async () => {
    const house = scripted()
    await using _consumer = house.consumer()
    const version = house.deployed('work', { onSuccess: 'function:other' })
    await house.submit(version)
    await house.clock.pass(5000)
    expect(await house.lanes.state(deliveryLaneOf(version.function))).toMatchObject({ waiting: 1 })
  })
})
