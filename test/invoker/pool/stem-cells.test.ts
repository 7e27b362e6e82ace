import { expect, test } from 'vitest'

import type { SandboxSpec } from '#invoker/sandbox/driver'

import { testHouse, versionOf } from '../house.ts'

const SPEC: SandboxSpec = { runtime: 'js', engine: 'quickjs', memoryMiB: 100, concurrency: 1 }

test('a generic sandbox turns a cold start into a specialized one, and is replaced', async () => {
  const { clock, driver, invoker, call } = testHouse({
    script: { createMs: 500, loadMs: 5 },
    stocks: [{ spec: SPEC, count: 1 }],
  })
  await clock.pass(500)
  const first = call(versionOf('one'), '/hello')
  await clock.pass(5)
  expect(first.completion?.start).toEqual({ kind: 'specialized', queueMs: 0, startMs: 5 })
  await clock.pass(1000)
  expect(driver.sandboxes.size).toBe(2)
  const second = call(versionOf('two'), '/state')
  await clock.pass(5)
  expect(second.completion?.start.kind).toBe('specialized')
  expect(invoker.activity(versionOf('two').function).starts).toEqual({ cold: 0, specialized: 1, warm: 0 })
})

test('one that does not fit is not used', async () => {
  const { clock, call } = testHouse({ stocks: [{ spec: SPEC, count: 1 }] })
  await clock.pass(10)
  const other = call(versionOf('other', { memoryMiB: 200 }), '/hello')
  await clock.pass(10)
  expect(other.completion?.start.kind).toBe('cold')
})

test('they give way when memory is short, and come back when it is not', async () => {
  const { clock, driver, call } = testHouse({ memoryMiB: 300, stocks: [{ spec: SPEC, count: 2 }] })
  await clock.pass(0)
  expect(driver.sandboxes.size).toBe(2)
  const large = call(versionOf('large', { memoryMiB: 250, keepAliveMs: 1000 }), '/hello')
  await clock.pass(10)
  expect(large.completion?.outcome.kind).toBe('responded')
  expect(driver.sandboxes.size).toBe(1)
  await clock.pass(20_000)
  expect(driver.sandboxes.size).toBe(2)
})

test('one that dies is replaced, and one that cannot be made is tried again later', async () => {
  const { clock, driver, warnings } = testHouse({ script: { failCreates: 1 }, stocks: [{ spec: SPEC, count: 1 }] })
  await clock.pass(0)
  expect(warnings).toEqual(['a generic sandbox could not be made'])
  await clock.pass(5000)
  const [cell] = driver.sandboxes
  cell?.die({ cause: 'exited', detail: 'exit code 1' })
  await clock.pass(0)
  expect(driver.sandboxes.size).toBe(0)
  await clock.pass(5000)
  expect(driver.sandboxes.size).toBe(1)
})

test('draining ends them, those included that are being made', async () => {
  const { clock, driver, invoker } = testHouse({ stocks: [{ spec: SPEC, count: 2 }] })
  await clock.pass(0)
  driver.script.createMs = 60_000
  const [cell] = driver.sandboxes
  cell?.die({ cause: 'exited', detail: 'exit code 1' })
  await clock.pass(5000)
  const drained = invoker.drain(0)
  await clock.pass(1)
  await drained
  expect(driver.sandboxes.size).toBe(0)
  await clock.pass(60_000)
  expect(driver.sandboxes.size).toBe(0)
})
