import { describe, expect, test } from 'vitest'

import { PlatformError } from '#core/errors'
import type { FunctionVersion } from '#core/function'
import type { InvocationRecord } from '#core/record'
import { Consumer } from '#invoker/async/consumer'

import type { QueuedInvocation } from '#core/queue'
import { type HouseOptions, testHouse, versionOf } from '#test/invoker/house'
import { settle } from '#test/invoker/manual-clock'

import { MemoryDeadLetters, MemoryFunctions, MemoryLanes, MemoryRecords, queued } from './memory-lanes.ts'

function consumerHouse(options: HouseOptions & { maxRunning?: number } = {}) {
  const house = testHouse(options)
  const { clock, invoker } = house
  const records = new MemoryRecords()
  const lanes = new MemoryLanes(clock, records)
  const functions = new MemoryFunctions()
  const deadLetters = new MemoryDeadLetters()
  const completed: string[] = []
  const consumer = new Consumer({
    lanes,
    functions,
    records,
    deadLetters,
    destinations: undefined,
    invoker,
    clock,
    log: { warn: (message) => void house.warnings.push(message) },
    maxRunning: options.maxRunning ?? 64,
    maxResultBytes: 100,
    drainMs: 1000,
    onCompletion: (_, { outcome }) => void completed.push(outcome.kind),
    onDelivery: () => undefined,
  })
  const submit = async (
    version: FunctionVersion,
    target: string,
    changes: Partial<QueuedInvocation> = {},
  ): Promise<() => InvocationRecord | undefined> => {
    const invocation = queued(version, target, changes)
    await lanes.add(invocation)
    return () => records.records.get(invocation.id)
  }
  const deployed = (...args: Parameters<typeof versionOf>): FunctionVersion => {
    const version = versionOf(...args)
    functions.put(version)
    return version
  }
  return { ...house, lanes, functions, records, deadLetters, consumer, completed, submit, deployed }
}

describe('the consumer', () => {
  test('runs what is queued, and the record tells its life', async () => {
    const { clock, lanes, records, submit, deployed } = consumerHouse()
    const record = await submit(deployed('work'), '/log?text=x&n=1&ms=25')
    await clock.pass(50)
    expect(records.states).toEqual(['running', 'succeeded'])
    expect(record()).toMatchObject({
      state: 'succeeded',
      trigger: 'async',
      attempts: [{ number: 1, state: 'succeeded', start: 'cold', timings: { runMs: 25 } }],
      result: { status: 200, body: 'logged', bodyEncoding: 'utf8', bodyBytes: 6 },
    })
    expect(records.lines.map(({ text }) => text)).toEqual(['out x 0', 'err x 0'])
    expect(lanes.completed).toHaveLength(1)
    expect(lanes.held.size).toBe(0)
  })

  test('tries what fails again, later and later, and keeps every attempt', async () => {
    const { clock, lanes, submit, deployed } = consumerHouse()
    const record = await submit(deployed('bad'), '/throw')
    await clock.pass(20)
    expect(record()).toMatchObject({ state: 'queued', attempts: [{ number: 1, state: 'failed' }] })
    await clock.pass(10_000)
    expect(lanes.retries).toHaveLength(2)
    expect(record()).toMatchObject({
      state: 'failed',
      error: { code: 'function-failed', message: 'deliberate failure', failure: { type: 'TypeError' } },
      attempts: [
        { number: 1, state: 'failed' },
        { number: 2, state: 'failed' },
        { number: 3, state: 'failed' },
      ],
    })
    expect(lanes.completed).toHaveLength(1)
  })

  test('makes no other attempt before it is written down that one has failed', async () => {
    const { clock, lanes, records, submit, deployed } = consumerHouse()
    let isAway = true
    records.onSave = () => {
      if (isAway) throw new PlatformError('store-unavailable', { detail: 'scripted' })
    }
    const record = await submit(deployed('bad'), '/throw')
    await clock.pass(5000)
    expect(lanes.retries).toHaveLength(0)
    isAway = false
    await clock.pass(10_000)
    expect(record()).toMatchObject({ state: 'failed', attempts: [{ number: 1 }, { number: 2 }, { number: 3 }] })
  })

  test('keeps the response of a server error that it gave up on', async () => {
    const { clock, submit, deployed } = consumerHouse()
    const record = await submit(deployed('bad'), '/status?code=503')
    await clock.pass(10_000)
    expect(record()).toMatchObject({ state: 'failed', error: { code: 'function-failed' }, result: { status: 503 } })
  })

  test('counts a large response without keeping it, and keeps bytes as base64', async () => {
    const { clock, lanes, records, deployed } = consumerHouse()
    const version = deployed('bytes')
    const body = (bytes: Uint8Array) => ({
      ...queued(version, '/echo'),
      request: { ...queued(version, '/echo').request, body: bytes },
    })
    const large = body(new Uint8Array(101))
    const binary = body(new Uint8Array([0xff, 0x00]))
    await lanes.add(large)
    await lanes.add(binary)
    await clock.pass(50)
    expect(records.records.get(large.id)?.result).toEqual(expect.objectContaining({ bodyBytes: 101 }))
    expect(records.records.get(large.id)?.result).not.toHaveProperty('body')
    expect(records.records.get(binary.id)?.result).toMatchObject({ body: '/wA=', bodyEncoding: 'base64' })
  })

  test('takes no more than there is room for', async () => {
    const { clock, lanes, driver, submit, deployed } = consumerHouse()
    const version = deployed('slow', { maxSandboxes: 2 })
    for (let i = 0; i < 10; i++) await submit(version, '/sleep?ms=900')
    await clock.pass(500)
    expect(driver.sandboxes.size).toBe(2)
    // One more than run may be waiting for a sandbox that turned out not to be worth it.
    expect(lanes.held.size).toBeLessThanOrEqual(3)
    await clock.pass(10_000)
    expect(lanes.completed).toHaveLength(10)
    expect(driver.peak).toBe(2)
  })

  test('goes on with what a finished run takes along, without asking the lane again', async () => {
    const { clock, lanes, records, submit, deployed } = consumerHouse()
    const version = deployed('work', { concurrency: 1, maxSandboxes: 1 })
    for (let i = 0; i < 50; i++) await submit(version, '/sleep?ms=1')
    await clock.pass(1000)
    expect([...records.records.values()].map(({ state }) => state)).toEqual(Array(50).fill('succeeded'))
    expect(lanes.takenAlong).toBeGreaterThan(40)
    expect(lanes.held.size).toBe(0)
  })

  test('takes nothing along once it is being disposed of', async () => {
    const { clock, lanes, submit, deployed, consumer } = consumerHouse()
    const version = deployed('work', { concurrency: 1, maxSandboxes: 1 })
    for (let i = 0; i < 5; i++) await submit(version, '/sleep?ms=100')
    await clock.pass(50)
    const disposed = consumer[Symbol.asyncDispose]()
    await clock.pass(2000)
    await disposed
    expect(lanes.takenAlong).toBe(0)
    expect(lanes.held.size).toBe(0)
    // What was in hand is done, the rest still waits.
    const { waiting } = await lanes.state(version.function)
    expect(waiting).toBeGreaterThanOrEqual(3)
    expect(lanes.completed.length + waiting).toBe(5)
  })

  test('serves the lanes in turn', async () => {
    const { clock, records, submit, deployed } = consumerHouse({ maxRunning: 4 })
    const first = deployed('first', { concurrency: 100 })
    const second = deployed('second', { concurrency: 100 })
    const ofFirst = []
    for (let i = 0; i < 100; i++) ofFirst.push(await submit(first, '/sleep?ms=10'))
    const ofSecond = []
    for (let i = 0; i < 10; i++) ofSecond.push(await submit(second, '/sleep?ms=10'))
    await clock.pass(120)
    expect(ofSecond.filter((record) => record()?.state === 'succeeded')).toHaveLength(10)
    expect(ofFirst.filter((record) => record()?.state === 'succeeded').length).toBeLessThan(60)
    await clock.pass(1000)
    expect([...records.records.values()].every(({ state }) => state === 'succeeded')).toBe(true)
  })

  test('lets no lane starve behind long calls of another', async () => {
    const { clock, submit, deployed } = consumerHouse({ maxRunning: 2 })
    const long = deployed('long', { concurrency: 10, timeoutMs: 100_000 })
    const brief = deployed('brief')
    for (let i = 0; i < 5; i++) await submit(long, '/sleep?ms=90000')
    await clock.pass(100)
    const record = await submit(brief, '/hello')
    await clock.pass(100)
    expect(record()?.state).toBe('succeeded')
  })

  test('a refusal for want of room uses up no attempt', async () => {
    const { clock, lanes, driver, submit, deployed } = consumerHouse()
    const { capabilities } = driver
    const version = deployed('none')
    const { runtimes } = capabilities
    Object.assign(capabilities, { runtimes: ['wasm'] })
    const record = await submit(version, '/hello')
    await clock.pass(5000)
    Object.assign(capabilities, { runtimes })
    await clock.pass(5000)
    expect(record()).toMatchObject({ state: 'succeeded', attempts: [{ number: 1 }] })
    expect(lanes.retries).toEqual([])
  })

  test('a function that was removed is function-not-found', async () => {
    const { clock, lanes, submit } = consumerHouse()
    const record = await submit(versionOf('removed'), '/hello')
    await clock.pass(50)
    expect(record()).toMatchObject({
      state: 'failed',
      error: { code: 'function-not-found' },
      attempts: [],
    })
    expect(lanes.completed).toHaveLength(1)
  })

  test('stops a run whose lease is lost and writes nothing more', async () => {
    const { clock, lanes, records, submit, deployed, completed } = consumerHouse()
    await submit(deployed('lost'), '/sleep?ms=500')
    await clock.pass(50)
    for (const { lost } of lanes.held.values()) lost.abort()
    await clock.pass(1000)
    expect(completed).toEqual(['cancelled'])
    expect(records.states).toEqual(['running'])
    expect(lanes.held.size).toBe(1)
  })

  test('finishes what it can when it is disposed of, and puts the rest back', async () => {
    const { clock, lanes, submit, deployed, consumer, completed } = consumerHouse()
    const version = deployed('work', { concurrency: 4, timeoutMs: 10_000 })
    const brief = await submit(version, '/sleep?ms=500')
    const long = await submit(version, '/sleep?ms=5000')
    await clock.pass(50)
    const disposed = consumer[Symbol.asyncDispose]()
    await submit(version, '/hello')
    await clock.pass(3000)
    await disposed
    expect(brief()?.state).toBe('succeeded')
    expect(long()).toMatchObject({ state: 'queued', attempts: [{ number: 1, state: 'queued' }] })
    expect(lanes.releases).toEqual([0])
    expect(lanes.held.size).toBe(0)
    expect(completed.toSorted()).toEqual(['cancelled', 'responded'])
    await settle()
  })
})
