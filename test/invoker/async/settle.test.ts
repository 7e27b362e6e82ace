// The end of an invocation, with a fault after each of its steps: one final record, no lost letter, no run after it.
import { describe, expect, test } from 'vitest'

import type { Delivery } from '#core/destination'
import { PlatformError } from '#core/errors'
import type { InvocationId } from '#core/ids'
import type { RecordState } from '#core/record'
import { isFinal } from '#invoker/async/account'

import { type Answer, scripted, type Scripted } from './scripted.ts'

const away = (): PlatformError => new PlatformError('store-unavailable', { detail: 'Redis is away' })
const failing: Answer = () => ({ kind: 'failed', failure: { type: 'Error', message: 'oh' } })
const TOLD = { maxAttempts: 1, onSuccess: 'function:good', onFailure: 'function:bad' }

type Step = 'before the letter' | 'before the record' | 'before the delivery' | 'before the end'

/** Calls `fault` when the end of the invocation has come so far. */
function atStep(house: Scripted, step: Step, fault: (id: InvocationId) => void): void {
  if (step === 'before the letter') house.deadLetters.onAdd = ({ invocation: { id } }) => fault(id)
  if (step === 'before the record') house.records.onSave = (record) => isFinal(record.state) && fault(record.id)
  if (step === 'before the delivery') house.lanes.onStep = (at, id) => at === 'add' && fault(id)
  if (step === 'before the end') house.lanes.onStep = (at, id) => at === 'complete' && fault(id)
}

function deliveriesIn(house: Scripted): Delivery[] {
  const told: Delivery[] = []
  const add = house.lanes.add.bind(house.lanes)
  house.lanes.add = async (invocation) => {
    await add(invocation)
    if (invocation.delivery !== undefined) told.push(invocation.delivery)
  }
  return told
}

describe.each([
  ['a success', undefined, 'succeeded'],
  ['a failure', failing, 'failed'],
] as const)('the end of %s', (_, answer, state) => {
  const house = (): Scripted => scripted(answer === undefined ? {} : { answer })
  const letters = state === 'failed' ? 1 : 0
  const steps: Step[] = ['before the record', 'before the delivery', 'before the end']
  if (state === 'failed') steps.unshift('before the letter')

  test('is a record, a job for its destination and, of a failure, a dead letter', async () => {
    const parts = house()
    const told = deliveriesIn(parts)
    await using _consumer = parts.consumer()
    const id = await parts.submit(parts.deployed('work', TOLD))
    await parts.clock.pass(50)
    const destination = state === 'succeeded' ? 'function:good' : 'function:bad'
    const on = state === 'succeeded' ? 'success' : 'failure'
    expect(parts.record(id)).toMatchObject({
      state,
      deliveries: [{ on, destination, state: 'pending', attempts: 0 }],
      input: { headers: [], body: '', bodyEncoding: 'utf8' },
    })
    expect(parts.record(id)?.deadLetteredAt).toEqual(letters === 1 ? expect.any(Number) : undefined)
    expect(parts.deadLetters.letters.size).toBe(letters)
    expect(told).toMatchObject([{ on, record: { id, state } }])
    expect(parts.lanes.completed).toContain(id)
  })

  test.each(steps)('is repeated when Redis goes away %s', async (step) => {
    const parts = house()
    const told = deliveriesIn(parts)
    let times = 3
    await using _consumer = parts.consumer()
    const id = await parts.submit(parts.deployed('work', TOLD))
    atStep(parts, step, () => {
      // The end of a claim insists by itself (store/lanes/claim.ts).
      if (step !== 'before the end' && times-- > 0) throw away()
    })
    await parts.clock.pass(5000)
    expect(parts.ran).toHaveLength(1)
    expect(parts.record(id)).toMatchObject({ state })
    expect(parts.deadLetters.letters.size).toBe(letters)
    expect(told).toHaveLength(1)
    expect(parts.lanes.held.size).toBe(0)
  })

  test.each(steps)('is finished by who takes over when the lease is lost %s', async (step) => {
    const parts = house()
    const told = deliveriesIn(parts)
    let crashed = false
    await using _consumer = parts.consumer()
    const id = await parts.submit(parts.deployed('work', TOLD))
    atStep(parts, step, (crashing) => {
      if (crashed) return
      crashed = true
      parts.lanes.takeOver(crashing)
      throw away()
    })
    await parts.clock.pass(5000)
    const decided =
      step === 'before the delivery' ||
      step === 'before the end' ||
      (state === 'failed' && step === 'before the record')
    expect(parts.ran).toHaveLength(decided ? 1 : 2)
    expect(parts.records.states.filter((each) => isFinal(each as RecordState))).toEqual([state])
    if (!decided) expect(parts.record(id)).toMatchObject({ redeliveries: 1 })
    expect(parts.deadLetters.letters.size).toBe(letters)
    expect(new Set(told.map(({ record }) => record.id)).size).toBe(1)
    expect(parts.lanes.held.size).toBe(0)
    expect(parts.lanes.completed.filter((each) => each === id)).toHaveLength(1)
  })
})

describe('after a takeover', () => {
  test('what was decided by a letter is written down as it was decided', async () => {
    const house = scripted({ answer: failing })
    house.records.onSave = ({ id }) => {
      house.records.onSave = () => undefined
      house.lanes.takeOver(id)
      throw away()
    }
    await using _consumer = house.consumer()
    const id = await house.submit(house.deployed('work', { maxAttempts: 1 }))
    await house.clock.pass(1000)
    const letter = house.deadLetters.letters.get(id)
    expect(house.record(id)).toMatchObject({
      state: 'failed',
      error: { code: 'function-failed', message: 'oh' },
      attempts: [{ number: 1, state: 'failed' }],
      finishedAt: letter?.at,
      deadLetteredAt: letter?.at,
      redeliveries: 1,
    })
  })

  test('a delivery that was made is not made again', async () => {
    const house = scripted()
    const told = deliveriesIn(house)
    await using _consumer = house.consumer()
    let crashed = false
    house.lanes.onStep = (step, id) => {
      if (step !== 'complete' || crashed) return
      crashed = true
      const record = house.record(id)!
      house.records.write({
        ...record,
        deliveries: record.deliveries!.map((note) => ({ ...note, state: 'delivered' })),
      })
      house.lanes.takeOver(id)
    }
    await house.submit(house.deployed('work', TOLD))
    await house.clock.pass(1000)
    expect(told).toHaveLength(1)
  })

  test('the attempt that was cut short is in the record', async () => {
    const house = scripted({
      answer: ({ invocation, respond, stopped }) => (invocation.attempt === 1 ? stopped : respond(200, 'ok')),
    })
    await using _consumer = house.consumer()
    const id = await house.submit(house.deployed('work'))
    await house.clock.pass(50)
    house.lanes.takeOver(id)
    await house.clock.pass(50)
    expect(house.record(id)).toMatchObject({
      state: 'succeeded',
      redeliveries: 1,
      attempts: [
        { number: 1, state: 'failed', error: { message: 'the process that ran the attempt ended' } },
        { number: 2, state: 'succeeded' },
      ],
    })
  })

  test('one that ends process after process is given up', async () => {
    const house = scripted({ answer: ({ stopped }) => stopped })
    await using _consumer = house.consumer()
    const id = await house.submit(house.deployed('work'))
    for (let crash = 0; crash < 10; crash++) {
      await house.clock.pass(50)
      expect(house.record(id)?.state).toBe('running')
      house.lanes.takeOver(id)
    }
    await house.clock.pass(50)
    expect(house.ran).toHaveLength(10)
    expect(house.record(id)).toMatchObject({ state: 'failed', error: { code: 'internal' }, redeliveries: 10 })
    expect(house.deadLetters.letters.has(id)).toBe(true)
  })
})

test('an error that nobody expected puts it back for later', async () => {
  const house = scripted()
  let fails = true
  house.records.onSave = () => {
    if (fails) throw new TypeError('a fault of ours')
  }
  await using _consumer = house.consumer()
  const id = await house.submit(house.deployed('work'))
  await house.clock.pass(1000)
  expect(house.warnings).toEqual(['an async invocation could not be served'])
  expect(house.lanes.releases).toEqual([5000])
  fails = false
  await house.clock.pass(5000)
  expect(house.record(id)?.state).toBe('succeeded')
})

test('an input over the limit is not kept', async () => {
  const house = scripted({ maxResultBytes: 4 })
  await using _consumer = house.consumer()
  const version = house.deployed('work')
  const [brief, long] = await Promise.all(
    ['1234', '12345'].map((body) => {
      const request = { method: 'POST', target: '/', origin: 'http://test', headers: [], body: Buffer.from(body) }
      return house.submit(version, { request })
    }),
  )
  await house.clock.pass(50)
  expect(house.record(brief!)?.input).toEqual({ headers: [], body: '1234', bodyEncoding: 'utf8' })
  expect(house.record(long!)).not.toHaveProperty('input')
  expect(house.record(long!)).toMatchObject({ state: 'succeeded', request: { bodyBytes: 5 } })
})
