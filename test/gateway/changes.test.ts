import { expect, test } from 'vitest'

import type { FunctionName } from '#core/ids'

import { startGateway } from './start.ts'

const GONE = 'gone' as FunctionName

test('a removal by another process retires the function and ends its time series', async () => {
  await using gateway = await startGateway()
  await gateway.deploy('gone')
  await (await fetch(`${gateway.url}/fn/gone`)).text()
  await gateway.functions.remove(GONE)
  await expect.poll(() => gateway.invoker.retired.at(-1)).toEqual(['gone', undefined])
  expect(await (await fetch(`${gateway.url}/metrics`)).text()).not.toContain('"gone"')
})

test('when messages were lost every function is looked at again', async () => {
  await using gateway = await startGateway()
  await gateway.deploy('kept')
  await gateway.deploy('gone')
  await (await fetch(`${gateway.url}/fn/gone`)).text()
  gateway.functions.records.delete(GONE)
  gateway.invoker.retired.length = 0
  gateway.functions.changed(undefined)
  await expect
    .poll(() => gateway.invoker.retired)
    .toEqual([
      ['kept', 1],
      ['gone', undefined],
    ])
})

test('a version that becomes live is prepared, in whatever process it was deployed, and at the start', async () => {
  await using gateway = await startGateway()
  await gateway.deploy('kept')
  await expect.poll(() => gateway.invoker.prepared).toEqual([['kept', 1]])
  gateway.functions.changed(undefined)
  await expect.poll(() => gateway.invoker.prepared.length).toBe(2)
})
