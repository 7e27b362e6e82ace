import { expect, test } from 'vitest'

import type { HeaderList } from '#core/invocation'
import { Recorder } from '#test/contract/world'

import { invocationOf, testHouse, versionOf } from './house.ts'

const never = new AbortController().signal

test('invoke() tells of the start before anything else', async () => {
  const { clock, invoker } = testHouse({ script: { createMs: 20 } })
  const order: string[] = []
  const sink = {
    started: () => order.push('started'),
    head: () => order.push('head'),
    chunk: () => {},
    end: () => order.push('end'),
    log: () => order.push('log'),
  }
  const done = invoker.invoke(invocationOf(versionOf('order'), '/log?text=x&n=1&ms=0'), sink, never)
  await clock.pass(20)
  await done
  expect(order).toEqual(['started', 'log', 'log', 'head', 'end'])
})

test('invoke() refuses what is over the limits before it takes a sandbox', async () => {
  const { driver, invoker } = testHouse()
  const invocation = invocationOf(versionOf('limits'), '/hello')
  const headers: HeaderList = Array.from({ length: 101 }, () => ['x', 'y'] as const)
  const many = { ...invocation, request: { ...invocation.request, headers } }
  await expect(invoker.invoke(many, new Recorder(), never)).rejects.toMatchObject({ code: 'too-many-headers' })
  const large = { ...invocation, request: { ...invocation.request, body: new Uint8Array(1_000_001) } }
  await expect(invoker.invoke(large, new Recorder(), never)).rejects.toMatchObject({ code: 'payload-too-large' })
  expect(driver.created).toBe(0)
})

test('invoke() refuses a body that is too large for the driver', async () => {
  const { driver, invoker } = testHouse()
  Object.assign(driver.capabilities, { maxBodyBytes: 10 })
  const invocation = invocationOf(versionOf('limits'), '/echo')
  const large = { ...invocation, request: { ...invocation.request, body: new Uint8Array(11) } }
  await expect(invoker.invoke(large, new Recorder(), never)).rejects.toMatchObject({
    code: 'payload-too-large',
    message: 'a body for a js function has at most 10 bytes (the fake driver): received 11',
  })
})

test('invoke() refuses a streamed body that is too large for the driver, declared or not', async () => {
  const { driver, invoker } = testHouse()
  Object.assign(driver.capabilities, { maxBodyBytes: 10 })
  const invocation = invocationOf(versionOf('limits'), '/echo')
  const streamed = (headers: HeaderList, size: number): typeof invocation => {
    const body = (async function* () {
      for (let byte = 0; byte < size; byte++) yield Uint8Array.of(byte)
    })()
    return { ...invocation, request: { ...invocation.request, headers, body } }
  }
  const declared = invoker.invoke(streamed([['content-length', '11']], 11), new Recorder(), never)
  await expect(declared).rejects.toMatchObject({
    code: 'payload-too-large',
    message: expect.stringMatching(/received 11$/),
  })
  expect(driver.created).toBe(0)
  await expect(invoker.invoke(streamed([], 11), new Recorder(), never)).rejects.toMatchObject({
    code: 'payload-too-large',
    message: 'a body for a js function has at most 10 bytes (the fake driver): received more',
    members: { limit: 10 },
  })
  const fits = await invoker.invoke(streamed([], 10), new Recorder(), never)
  expect(fits.outcome).toEqual({ kind: 'responded', status: 200 })
})

test('activity() counts starts by kind and keeps the last ten', async () => {
  const { clock, invoker, call } = testHouse()
  const version = versionOf('active')
  for (let i = 0; i < 12; i++) {
    call(version, '/hello')
    await clock.pass(1)
  }
  const activity = invoker.activity(version)
  expect(activity.starts).toEqual({ cold: 1, specialized: 0, warm: 11 })
  expect(activity.lastStarts.map(({ kind }) => kind)).toEqual(Array(10).fill('warm'))
  expect(activity.sandboxes).toEqual({
    starting: 0,
    idle: 1,
    paused: 0,
    hibernated: 0,
    busy: 0,
    draining: 0,
    generic: 0,
  })
  expect(invoker.sandboxes()).toEqual([
    { driver: 'fake', counts: activity.sandboxes, memory: { idle: { countedMiB: 100 } }, wakes: {} },
  ])
  expect(invoker.drivers()).toEqual([{ name: 'fake', on: true, detail: 'programs in this process' }])
})
