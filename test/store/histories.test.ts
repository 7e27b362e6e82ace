import { afterAll, beforeAll, describe, expect, test } from 'vitest'

import type { FunctionName } from '#core/ids'
import { openStore } from '#store/open'
import { startTestRedis, type TestRedis } from '#test/redis'

import { NAME, sampleVersion } from './samples.ts'

let redis: TestRedis

beforeAll(async () => {
  redis = await startTestRedis()
})

afterAll(async () => {
  await redis[Symbol.asyncDispose]()
})

describe('histories', () => {
  test('are there after a restart, the newest of each', async () => {
    {
      await using store = await openStore({ url: redis.url, prefix: 'restart' })
      await store.functions.deploy(sampleVersion('a'), 0)
      await store.histories.save(new Map([[NAME, 'old']]))
      await store.histories.save(new Map([[NAME, 'new']]))
    }
    await using store = await openStore({ url: redis.url, prefix: 'restart' })
    expect(await store.histories.load()).toEqual(new Map([[NAME, 'new']]))
  })

  test('go with the function, and a late one does not come after', async () => {
    await using store = await openStore({ url: redis.url, prefix: 'gone' })
    await store.functions.deploy(sampleVersion('a'), 0)
    await store.histories.save(new Map([[NAME, 'x']]))
    await store.functions.remove(NAME)
    await store.histories.save(new Map([[NAME, 'late']]))
    await store.functions.deploy(sampleVersion('a'), 0)
    expect(await store.histories.load()).toEqual(new Map())
  })

  test('of more functions than a batch are saved and loaded', async () => {
    await using store = await openStore({ url: redis.url, prefix: 'many' })
    const names = Array.from({ length: 1001 }, (_, index) => `f${index}` as FunctionName)
    await Promise.all(names.map((name) => store.functions.deploy(sampleVersion('a', { function: name }), 0)))
    const histories = new Map(names.map((name) => [name, `history of ${name}`]))
    await store.histories.save(histories)
    expect(await store.histories.load()).toEqual(histories)
  })
})
