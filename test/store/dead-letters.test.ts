import { Redis } from 'ioredis'
import { afterAll, beforeAll, expect, test } from 'vitest'

import type { DeadLetter } from '#core/dead-letter'
import type { FunctionName } from '#core/ids'
import { parseRedisUrl } from '#store/connect'
import { openStore, type Store } from '#store/open'
import type { StoreSettings } from '#store/settings'
import { startTestRedis, type TestRedis } from '#test/redis'

import { NAME, sampleInvocation } from './samples.ts'

let server: TestRedis
let redis: Redis
beforeAll(async () => {
  server = await startTestRedis()
  redis = new Redis(parseRedisUrl(server.url))
})
afterAll(async () => {
  redis.disconnect()
  await server[Symbol.asyncDispose]()
})

const open = (prefix: string, settings: Partial<StoreSettings> = {}) => openStore({ url: server.url, prefix, settings })

function sampleLetter(at = Date.now(), name = NAME, body: Uint8Array = Buffer.of(0, 255, 7)): DeadLetter {
  const { request, ...rest } = sampleInvocation({ function: name, cause: { events: ['a'] }, expiresAt: 5 })
  const error = { code: 'function-failed', message: 'the function threw Error' } as const
  return { invocation: { ...rest, request: { ...request, body } }, state: 'failed', error, attempts: 3, at }
}

async function allPages({ deadLetters }: Store, limit: number): Promise<DeadLetter[]> {
  const letters: DeadLetter[] = []
  for (let cursor: string | undefined; ;) {
    const page = await deadLetters.list(NAME, { limit, ...(cursor === undefined ? {} : { cursor }) })
    letters.push(...page.letters)
    if (page.next === undefined) return letters
    cursor = page.next
  }
}

test('a letter comes back as it was, also a large and binary one, and the same id is there once', async () => {
  await using store = await open('same')
  const letter = sampleLetter(Date.now(), NAME, Buffer.alloc(1_000_000, 0xc3))
  await store.deadLetters.add(letter)
  await store.deadLetters.add({ ...letter, attempts: 9, at: letter.at + 5 })
  expect(await store.deadLetters.get(NAME, letter.invocation.id)).toEqual(letter)
  expect(await store.deadLetters.list(NAME, { limit: 5 })).toEqual({ letters: [letter] })
  expect(await store.deadLetters.count(NAME)).toBe(1)
})

test('letters are listed newest first, in pages, by when they came; of the same ms all are there once', async () => {
  await using store = await open('pages')
  const now = Date.now()
  const letters = Array.from({ length: 23 }, (_, n) => sampleLetter(now - 1_000 * Math.floor(n / 6)))
  await Promise.all(letters.map((letter) => store.deadLetters.add(letter)))
  for (const limit of [1, 4, 6, 23, 50]) {
    const listed = await allPages(store, limit)
    expect(listed.map(({ at }) => at)).toEqual(letters.map(({ at }) => at))
    expect(new Set(listed.map(({ invocation }) => invocation.id)).size).toBe(23)
  }
  await expect(store.deadLetters.list(NAME, { limit: 1, cursor: 'x' })).rejects.toMatchObject({
    code: 'invalid-request',
  })
})

test('a page goes on where the one before ended, although its letters were removed meanwhile', async () => {
  await using store = await open('redrive')
  const now = Date.now()
  const letters = Array.from({ length: 10 }, () => sampleLetter(now))
  for (const letter of letters) await store.deadLetters.add(letter)
  const seen = new Set<string>()
  for (let cursor: string | undefined; ;) {
    const page = await store.deadLetters.list(NAME, { limit: 3, ...(cursor === undefined ? {} : { cursor }) })
    for (const { invocation } of page.letters) {
      seen.add(invocation.id)
      expect(await store.deadLetters.remove(NAME, invocation.id)).toBe(true)
      expect(await store.deadLetters.remove(NAME, invocation.id)).toBe(false)
    }
    if (page.next === undefined) break
    cursor = page.next
  }
  expect(seen.size).toBe(10)
  expect(await store.deadLetters.count(NAME)).toBe(0)
})

test('purging removes all of one function and says how many', async () => {
  await using store = await open('purge')
  const other = 'other' as FunctionName
  for (let n = 0; n < 5; n++) await store.deadLetters.add(sampleLetter())
  await store.deadLetters.add(sampleLetter(Date.now(), other))
  expect(await store.deadLetters.counts()).toEqual(
    new Map([
      [NAME, 5],
      [other, 1],
    ]),
  )
  expect(await store.deadLetters.purge(NAME)).toBe(5)
  expect(await store.deadLetters.purge(NAME)).toBe(0)
  expect(await store.deadLetters.counts()).toEqual(new Map([[other, 1]]))
})

test('letters go after their own time, whatever became of their records', async () => {
  await using store = await open('age', { deadLetterMs: 60_000, retentionMs: 50 })
  const [old, kept] = [sampleLetter(Date.now() - 61_000), sampleLetter(Date.now() - 59_000)]
  await store.deadLetters.add(kept)
  await store.deadLetters.add(old)
  expect(await store.deadLetters.get(NAME, old.invocation.id)).toBeUndefined()
  expect(await allPages(store, 10)).toEqual([kept])
  expect(await store.deadLetters.count(NAME)).toBe(1)
  await store.deadLetters.add(sampleLetter())
  expect(await redis.hexists('age:{fn:hello}:dead:letters', old.invocation.id)).toBe(0)
  for (const key of await redis.keys('age:{fn:*')) expect(await redis.pttl(key)).toBeGreaterThan(1_000)
})

test('a function has so many at most: the oldest go, and are counted', async () => {
  await using store = await open('most', { deadLettersPerFunction: 10 })
  const now = Date.now()
  const letters = Array.from({ length: 25 }, (_, n) => sampleLetter(now + n))
  for (const letter of letters) await store.deadLetters.add(letter)
  expect(await allPages(store, 100)).toEqual(letters.slice(-10).toReversed())
  expect(store.deadLetters.dropped).toBe(15)
  expect(await redis.hlen('most:{fn:hello}:dead:letters')).toBe(10)
})
