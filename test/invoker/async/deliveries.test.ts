import { describe, expect, test } from 'vitest'

import type { Delivery, Destinations } from '#core/destination'
import { PlatformError } from '#core/errors'
import type { InvocationId } from '#core/ids'

import { scripted, type Scripted } from './scripted.ts'

const failed = (): PlatformError => new PlatformError('delivery-failed', { detail: 'it answered 503' })

function told(deliver: (count: number, signal: AbortSignal) => Promise<void>): {
  destinations: Destinations
  deliveries: Delivery[]
} {
  const deliveries: Delivery[] = []
  const destinations: Destinations = {
    deliver: (_id, delivery, signal) => deliver(deliveries.push(delivery), signal),
  }
  return { destinations, deliveries }
}

const submitTold = (house: Scripted): Promise<InvocationId> =>
  house.submit(house.deployed('work', { onSuccess: 'https://example.org/hook' }))

describe('a delivery', () => {
  test('is made with the final record, and noted in it', async () => {
    const { destinations, deliveries } = told(async () => {})
    const house = scripted({ destinations })
    await using _consumer = house.consumer()
    const id = await submitTold(house)
    await house.clock.pass(50)
    expect(deliveries).toMatchObject([
      {
        on: 'success',
        destination: { kind: 'url', url: 'https://example.org/hook' },
        record: { id, state: 'succeeded', result: { body: 'ok' } },
      },
    ])
    expect(house.record(id)).toMatchObject({
      state: 'succeeded',
      result: { body: 'ok' },
      deliveries: [{ on: 'success', destination: 'https://example.org/hook', state: 'delivered', attempts: 1 }],
    })
    expect(house.delivered).toEqual(['work delivered'])
    expect(house.lanes.held.size).toBe(0)
  })

  test('that fails is tried again later and later, and the record says why', async () => {
    const { destinations, deliveries } = told(async (count) => {
      if (count < 4) throw failed()
    })
    const house = scripted({ destinations })
    await using _consumer = house.consumer()
    const id = await submitTold(house)
    await house.clock.pass(50)
    expect(house.record(id)?.deliveries).toMatchObject([{ state: 'pending', attempts: 1, error: 'it answered 503' }])
    await house.clock.pass(20_000)
    expect(deliveries).toHaveLength(4)
    expect(house.record(id)?.deliveries).toMatchObject([{ state: 'delivered', attempts: 4 }])
    expect(house.record(id)?.deliveries?.[0]).not.toHaveProperty('error')
    expect(house.lanes.retries).toHaveLength(3)
  })

  test('is given up after fifteen tries', async () => {
    const { destinations, deliveries } = told(() => Promise.reject(failed()))
    const house = scripted({ destinations })
    await using _consumer = house.consumer()
    const id = await submitTold(house)
    await house.clock.pass(14_400_000)
    expect(deliveries).toHaveLength(15)
    expect(house.record(id)?.deliveries).toMatchObject([{ state: 'failed', attempts: 15, error: 'it answered 503' }])
    expect(house.delivered).toEqual(['work failed'])
    expect(house.deadLetters.letters.size).toBe(0)
  })

  test('that can never work is given up at once', async () => {
    const gone = new PlatformError('function-not-found', { detail: 'no function "good"' })
    const { destinations, deliveries } = told(() => Promise.reject(gone))
    const house = scripted({ destinations })
    await using _consumer = house.consumer()
    const id = await submitTold(house)
    await house.clock.pass(600_000)
    expect(deliveries).toHaveLength(1)
    expect(house.record(id)?.deliveries).toMatchObject([{ state: 'failed', error: 'no function "good"' }])
  })

  test('that hangs is stopped, and tried again', async () => {
    const signals: AbortSignal[] = []
    const { destinations } = told((_, signal) => {
      signals.push(signal)
      return new Promise(() => {})
    })
    const house = scripted({ destinations })
    await using _consumer = house.consumer()
    const id = await submitTold(house)
    await house.clock.pass(30_100)
    expect(signals[0]?.aborted).toBe(true)
    expect(house.record(id)?.deliveries).toMatchObject([{ state: 'pending', attempts: 1 }])
  })

  test('is put back when the process ends', async () => {
    const { destinations } = told(
      (_, signal) =>
        new Promise((_resolve, reject) => {
          signal.addEventListener('abort', () => reject(failed()), { once: true })
        }),
    )
    const house = scripted({ destinations })
    const consumer = house.consumer()
    const id = await submitTold(house)
    await house.clock.pass(50)
    await consumer[Symbol.asyncDispose]()
    expect(house.lanes.releases).toEqual([0])
    expect(house.record(id)?.deliveries).toMatchObject([{ state: 'pending', attempts: 0 }])
  })

  test('takes no slot of calls, and no more than sixteen are under way', async () => {
    let under = 0
    const { destinations } = told(() => {
      under += 1
      return new Promise(() => {})
    })
    const house = scripted({ destinations, maxRunning: 2 })
    await using _consumer = house.consumer()
    for (let n = 0; n < 4; n++) {
      const version = house.deployed(`work-${n}`, { onSuccess: 'events' })
      for (let each = 0; each < 10; each++) await house.submit(version)
    }
    await house.clock.pass(1000)
    expect(house.ran).toHaveLength(40)
    // One is kept for lanes of which nothing is under way.
    expect(under).toBe(15)
    await house.submit(house.deployed('other', { onSuccess: 'events' }))
    await house.clock.pass(10)
    expect(under).toBe(16)
  })
})
