import { afterAll, beforeAll, expect, test } from 'vitest'

import { PlatformError } from '#core/errors'
import type { FunctionName, InvocationId } from '#core/ids'
import { startTestRedis, type TestRedis } from '#test/redis'

import { startOnRedis, type OnRedis } from '../on-redis.ts'

let redis: TestRedis
beforeAll(async () => (redis = await startTestRedis()))
afterAll(() => redis[Symbol.asyncDispose]())

const UP = 'up' as FunctionName
const LETTERS = '/v1/functions/up/dead-letters'

async function started(prefix: string, settings: Parameters<typeof startOnRedis>[1] = {}): Promise<OnRedis> {
  const gateway = await startOnRedis(redis.url, { prefix, ...settings })
  await gateway.deploy('up', '?maxAttempts=4')
  return gateway
}

/** So many invocations that failed for good, as a consumer leaves them; the oldest first. */
async function died(gateway: OnRedis, count: number): Promise<InvocationId[]> {
  const ids: InvocationId[] = []
  for (let index = 0; index < count; index++) {
    const query = '?path=/x&priority=2&maxAttempts=7'
    await gateway.call('POST', `/v1/functions/up/invocations${query}`, { body: `body ${index}` })
    const claim = (await gateway.store.lanes.take(UP))!
    const error = { code: 'function-failed', message: `failed ${index}` } as const
    const letter = { invocation: claim.invocation, state: 'failed', error, attempts: 4, at: Date.now() - 1000 } as const
    await gateway.store.deadLetters.add(letter)
    await claim.complete()
    ids.push(claim.invocation.id)
  }
  return ids
}

test('they are listed newest first, in pages, without what they were called with', async () => {
  await using gateway = await started('list')
  const ids = await died(gateway, 5)
  const first = await gateway.call('GET', `${LETTERS}?limit=3`)
  const letters = first.json.deadLetters as Record<string, unknown>[]
  expect(letters[0]).toMatchObject({
    function: 'up',
    version: 1,
    state: 'failed',
    error: { code: 'function-failed' },
    attempts: 4,
    request: { method: 'POST', target: '/x', bodyBytes: 6 },
  })
  expect(letters[0]).not.toHaveProperty('input')
  const rest = await gateway.call('GET', `${LETTERS}?limit=3&cursor=${first.json.next as string}`)
  const listed = [...letters, ...(rest.json.deadLetters as Record<string, unknown>[])].map(({ id }) => id)
  expect(new Set(listed)).toEqual(new Set(ids))
  expect(rest.json.next).toBeUndefined()
  expect((await gateway.call('GET', '/v1/functions/up')).json.lane).toMatchObject({ deadLetters: 5 })
})

test('one is shown with its input', async () => {
  await using gateway = await started('one')
  const [id] = await died(gateway, 1)
  const { json } = await gateway.call('GET', `${LETTERS}/${id}`)
  expect(json).toMatchObject({ id, input: { body: 'body 0', bodyEncoding: 'utf8' } })
})

test('a redrive is a new invocation on the live version with all its tries, and the letter is gone', async () => {
  await using gateway = await started('redrive')
  const [id] = await died(gateway, 1)
  await gateway.call('PUT', '/v1/functions/up', { headers: { 'content-type': 'text/javascript' }, body: 'repaired' })
  const { status, json } = await gateway.call('POST', `${LETTERS}/${id}/redrive`)
  expect({ status, json }).toMatchObject({ status: 202, json: { function: 'up', version: 2, state: 'queued' } })
  const claim = (await gateway.store.lanes.take(UP))!
  expect(claim).toMatchObject({ attempt: 1, invocation: { id: json.id, version: 2, cause: { replayOf: id } } })
  expect(claim.invocation).toMatchObject({ priority: 2, retry: { maxAttempts: 7 }, request: { target: '/x' } })
  expect(Buffer.from(claim.invocation.request.body).toString()).toBe('body 0')
  await claim.complete()
  expect(await gateway.call('GET', `${LETTERS}/${id}`)).toMatchObject({
    status: 404,
    json: { code: 'dead-letter-not-found' },
  })
})

test('two redrives at once queue it once', async () => {
  await using gateway = await started('twice')
  const [id] = await died(gateway, 1)
  const answers = await Promise.all([1, 2, 3].map(() => gateway.call('POST', `${LETTERS}/${id}/redrive`)))
  // One that came late finds no letter any more.
  const accepted = answers.filter(({ status }) => status === 202)
  expect(new Set(accepted.map(({ json }) => json.id)).size).toBe(1)
  expect(await gateway.store.lanes.state(UP)).toMatchObject({ waiting: 1 })
})

test('a redrive that was cut off before the letter was removed is gone on with', async () => {
  let broken = true
  await using gateway = await started('cut', {
    wrap: ({ deadLetters }) => ({
      deadLetters: {
        add: (letter) => deadLetters.add(letter),
        list: (...args) => deadLetters.list(...args),
        get: (...args) => deadLetters.get(...args),
        purge: (name) => deadLetters.purge(name),
        count: (name) => deadLetters.count(name),
        counts: () => deadLetters.counts(),
        remove: (...args) => {
          if (broken) return Promise.reject(new PlatformError('store-unavailable', { detail: 'down' }))
          return deadLetters.remove(...args)
        },
      },
    }),
  })
  const [id] = await died(gateway, 1)
  expect((await gateway.call('POST', `${LETTERS}/${id}/redrive`)).status).toBe(503)
  broken = false
  expect((await gateway.call('POST', `${LETTERS}/${id}/redrive`)).status).toBe(202)
  expect(await gateway.store.lanes.state(UP)).toMatchObject({ waiting: 1 })
  expect(await gateway.store.deadLetters.count(UP)).toBe(0)
})

test('all at once, on the version that is named', async () => {
  await using gateway = await started('all')
  const ids = await died(gateway, 7)
  const body = JSON.stringify({ version: 1 })
  const { json } = await gateway.call('POST', `${LETTERS}/redrive`, { body })
  expect(json).toEqual({ redriven: 7, failed: 0, remaining: 0 })
  expect(await gateway.store.lanes.state(UP)).toMatchObject({ waiting: 7 })
  const causes = await Promise.all(
    ids.map(async () => {
      const claim = (await gateway.store.lanes.take(UP))!
      await claim.complete()
      return claim.invocation.cause.replayOf
    }),
  )
  expect(new Set(causes)).toEqual(new Set(ids))
  expect((await gateway.call('POST', `${LETTERS}/redrive`)).json).toEqual({ redriven: 0, failed: 0, remaining: 0 })
})

test('one, and then all, are removed', async () => {
  await using gateway = await started('remove')
  const [first, ...rest] = await died(gateway, 3)
  expect((await gateway.call('DELETE', `${LETTERS}/${first}`)).status).toBe(204)
  expect((await gateway.call('DELETE', `${LETTERS}/${first}`)).status).toBe(404)
  expect((await gateway.call('DELETE', LETTERS)).json).toEqual({ purged: rest.length })
  expect((await gateway.call('DELETE', LETTERS)).json).toEqual({ purged: 0 })
})

test('they outlive their function; one that never was is a 404', async () => {
  await using gateway = await started('gone')
  const [id] = await died(gateway, 1)
  await gateway.call('DELETE', '/v1/functions/up')
  expect((await gateway.call('GET', LETTERS)).json.deadLetters).toHaveLength(1)
  expect(await gateway.call('POST', `${LETTERS}/${id}/redrive`)).toMatchObject({
    status: 404,
    json: { code: 'function-not-found' },
  })
  for (const path of ['/v1/functions/nope/dead-letters', '/v1/functions/up/dead-letters?limit=0']) {
    expect((await gateway.call('GET', path)).status).toBeGreaterThanOrEqual(400)
  }
  expect((await gateway.call('GET', `${LETTERS}/nonsense`)).status).toBe(404)
})
