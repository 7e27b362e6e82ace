// The consumer on the real lanes, records and functions; the sandboxes alone are fake.
import { afterAll, beforeAll, expect, test } from 'vitest'

import { systemClock } from '#core/clock'
import type { FunctionVersion } from '#core/function'
import { Consumer } from '#invoker/async/consumer'
import type { Dispatcher } from '#invoker/dispatcher'
import { createLocalInvoker } from '#invoker/local-invoker'
import { FakeDriver } from '#invoker/sandbox/fake/driver'
import { openStore, type Store } from '#store/open'
import { behave } from '#test/contract/fixtures/fake'
import { startTestRedis, type TestRedis } from '#test/redis'

import { versionOf } from '#test/invoker/house'

import { MemoryDeadLetters, queued } from './memory-lanes.ts'

let server: TestRedis
beforeAll(async () => {
  server = await startTestRedis()
})
afterAll(() => server[Symbol.asyncDispose]())

const log = { warn: () => undefined }

function invokerFor(): Dispatcher {
  return createLocalInvoker({
    clock: systemClock,
    log,
    drivers: [new FakeDriver({ programOf: () => behave })],
    absent: [],
    artifacts: { fetch: async () => [] },
    limits: { maxHeaders: 100, maxHeaderBytes: 10_000, maxBodyBytes: 1_000_000 },
    memoryMiB: 10_000,
    maxWaiting: 1000,
    maxWaitMs: 30_000,
  })
}

function consumerFor(store: Store, invoker: Dispatcher, drainMs = 5000): Consumer {
  const { lanes, functions, records } = store
  return new Consumer({
    lanes,
    functions,
    records,
    deadLetters: new MemoryDeadLetters(),
    destinations: undefined,
    invoker,
    clock: systemClock,
    log,
    maxRunning: 64,
    maxResultBytes: 1000,
    drainMs,
    onCompletion: () => undefined,
    onDelivery: () => undefined,
  })
}

async function deploy(
  store: Store,
  name: string,
  spec: Readonly<Record<string, unknown>> = {},
): Promise<FunctionVersion> {
  return (await store.functions.deploy(versionOf(name, { concurrency: 16, ...spec }), Date.now())).version
}

test('every queued invocation of many functions is run and recorded', async () => {
  await using store = await openStore({ url: server.url, prefix: 'many' })
  const versions = await Promise.all(['a', 'b', 'c'].map((name) => deploy(store, name)))
  const invoker = invokerFor()
  const added = Array.from({ length: 300 }, (_, i) => queued(versions[i % 3] ?? versionOf('a'), '/hello'))
  await Promise.all(added.slice(0, 100).map((invocation) => store.lanes.add(invocation)))
  await using _consumer = consumerFor(store, invoker)
  await Promise.all(added.slice(100).map((invocation) => store.lanes.add(invocation)))
  const states = async () => {
    await store.records.flush()
    const records = await Promise.all(added.map(({ id }) => store.records.get(id)))
    return records.filter((record) => record?.state === 'succeeded').length
  }
  await expect.poll(states, { timeout: 20_000, interval: 100 }).toBe(300)
  const record = await store.records.get(added[7]?.id ?? ('' as never))
  expect(record).toMatchObject({ result: { body: 'hello' }, attempts: [{ number: 1, state: 'succeeded' }] })
  await invoker.drain(0)
})

test('what a stopped consumer had to put back, another one runs', async () => {
  await using store = await openStore({ url: server.url, prefix: 'handover' })
  const version = await deploy(store, 'slow')
  const invoker = invokerFor()
  const invocation = queued(version, '/sleep?ms=900')
  const first = consumerFor(store, invoker, 50)
  await store.lanes.add(invocation)
  const state = async () => {
    await store.records.flush()
    return (await store.records.get(invocation.id))?.state
  }
  await expect.poll(state, { timeout: 10_000 }).toBe('running')
  await first[Symbol.asyncDispose]()
  expect(await state()).toBe('queued')
  await using _second = consumerFor(store, invoker)
  await expect.poll(state, { timeout: 10_000 }).toBe('succeeded')
  expect((await store.records.get(invocation.id))?.attempts).toHaveLength(1)
  await invoker.drain(0)
})

test('a cancel that was cut off when it had written its record is finished, and the record stays', async () => {
  await using store = await openStore({ url: server.url, prefix: 'cancel' })
  const invocation = queued(await deploy(store, 'never'), '/hello')
  await store.lanes.add(invocation)
  const { id, function: name, version, trigger, acceptedAt, request } = invocation
  const { method, target } = request
  const record = {
    id,
    function: name,
    version,
    trigger,
    acceptedAt,
    attempts: [],
    finishedAt: acceptedAt + 1,
    request: { method, target, bodyBytes: 0 },
    state: 'cancelled' as const,
  }
  const cutOff = async (): Promise<void> => {
    await store.records.save(record)
    throw new Error('as if it had crashed')
  }
  await expect(store.lanes.cancel(name, id, cutOff)).rejects.toThrow('as if it had crashed')
  const invoker = invokerFor()
  await using _consumer = consumerFor(store, invoker)
  await expect.poll(() => store.lanes.has(name, id), { timeout: 10_000 }).toBe(false)
  expect(await store.records.get(id)).toEqual(record)
  await invoker.drain(0)
})
