import { expect, test } from 'vitest'

import { systemClock } from '#core/clock'
import { newInvocationId } from '#core/ids'
import type { FunctionName, VersionNumber } from '#core/ids'
import type { QueuedInvocation } from '#core/queue'
import { AcceptGatherer } from '#gateway/accept/gatherer'

import { MemoryLanes, MemoryRecords } from '../memory.ts'

/** Lanes of which the next batch is let through when the test says so. */
class HeldLanes extends MemoryLanes {
  readonly batches: number[] = []
  readonly held: (() => void)[] = []

  override async add(invocation: QueuedInvocation): Promise<void> {
    await this.#through(1)
    await super.add(invocation)
  }

  override async addMany(invocations: readonly QueuedInvocation[]): ReturnType<MemoryLanes['addMany']> {
    await this.#through(invocations.length)
    return Promise.all(invocations.map((invocation) => super.add(invocation).then(() => undefined)))
  }

  #through(count: number): Promise<void> {
    this.batches.push(count)
    return new Promise((resolve) => this.held.push(resolve))
  }
}

function sample(): QueuedInvocation {
  return {
    id: newInvocationId(),
    function: 'up' as FunctionName,
    version: 1 as VersionNumber,
    trigger: 'async',
    cause: {},
    request: { method: 'POST', target: '/', origin: 'http://x', headers: [], body: new Uint8Array(0) },
    acceptedAt: 1,
    retry: { maxAttempts: 1, backoff: 'fixed', delayMs: 1, maxDelayMs: 1 },
    priority: 0,
  }
}

test('one goes at once, and those that come meanwhile go together after it', async () => {
  const lanes = new HeldLanes()
  const gatherer = new AcceptGatherer({ lanes, records: new MemoryRecords(), clock: systemClock })
  const first = gatherer.accept(sample())
  await expect.poll(() => lanes.batches).toEqual([1])
  const others = [gatherer.accept(sample()), gatherer.accept(sample())]
  lanes.held.shift()?.()
  expect(await first).toBeUndefined()
  await expect.poll(() => lanes.batches).toEqual([1, 2])
  lanes.held.shift()?.()
  expect(await Promise.all(others)).toEqual([undefined, undefined])
  expect(lanes.added).toHaveLength(3)
  const last = gatherer.accept(sample())
  await expect.poll(() => lanes.batches).toEqual([1, 2, 1])
  lanes.held.shift()?.()
  expect(await last).toBeUndefined()
})
