import { expect, test } from 'vitest'

import { Semaphore } from '#invoker/semaphore'

const never = new AbortController().signal

test('lets so many in, and the others in the order in which they came', async () => {
  const semaphore = new Semaphore(1)
  const order: number[] = []
  const first = await semaphore.acquire(never)
  const others = [1, 2, 3].map(async (index) => {
    using _permit = await semaphore.acquire(never)
    order.push(index)
  })
  expect(order).toEqual([])
  first[Symbol.dispose]()
  await Promise.all(others)
  expect(order).toEqual([1, 2, 3])
})

test('gives no permit to who has gone', async () => {
  const semaphore = new Semaphore(1)
  const first = await semaphore.acquire(never)
  const gone = new AbortController()
  const waiting = semaphore.acquire(gone.signal)
  gone.abort(new Error('gone'))
  await expect(waiting).rejects.toThrow('gone')
  first[Symbol.dispose]()
  using _permit = await semaphore.acquire(never)
  await expect(semaphore.acquire(AbortSignal.abort(new Error('before')))).rejects.toThrow('before')
})
