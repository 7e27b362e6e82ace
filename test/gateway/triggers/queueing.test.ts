import { expect, test } from 'vitest'

import { PlatformError } from '#core/errors'
import { Queueing, type Prepared } from '#gateway/triggers/queueing'

import { Desk, received, triggerOf } from './desk.ts'

test('an event that was given up when its key could not be freed is not known when it comes again', async () => {
  const desk = await Desk.open()
  const queueing = new Queueing(desk.deps, triggerOf())
  const { signal } = new AbortController()
  const [prepared] = (await queueing.prepare([[received('a')]], signal)) as [Prepared]
  const error = new PlatformError('store-unavailable', { detail: 'scripted' })
  desk.idempotency.down = error
  await queueing.giveUp(prepared, { error, mayRun: false })
  desk.idempotency.down = undefined
  // The lease of the key is over.
  for (const held of desk.idempotency.keys.values()) held.free = true
  const [again] = (await queueing.prepare([[received('a')]], signal)) as [Prepared]
  expect(again).toMatchObject({ known: 0, candidates: [{ received: { key: 'a' } }] })
})
