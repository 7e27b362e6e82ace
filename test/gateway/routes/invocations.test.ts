import { expect, test } from 'vitest'

import { AUTH, startGateway } from '../start.ts'
import type { Started } from '../start.ts'

function submit(gateway: Started, path: string, init: RequestInit = {}): Promise<Response> {
  const url = `${gateway.url}/v1/functions/${path}`
  return fetch(url, { method: 'POST', ...init, headers: { ...AUTH, ...(init.headers as Record<string, string>) } })
}

test('records are listed newest first, filtered, page by page', async () => {
  await using gateway = await startGateway()
  await gateway.deploy('a')
  await gateway.deploy('b')
  for (const name of ['a', 'b', 'a', 'a']) await submit(gateway, `${name}/invocations`)
  await (await fetch(`${gateway.url}/fn/a`)).text()
  const list = async (query: string): Promise<{ records: { id: string; function: string }[]; next?: string }> =>
    (await fetch(`${gateway.url}/v1/invocations${query}`, { headers: AUTH })).json() as never
  expect((await list('')).records).toHaveLength(5)
  expect((await list('?function=b')).records.map((record) => record.function)).toEqual(['b'])
  expect((await list('?function=a&state=queued')).records).toHaveLength(3)
  const first = await list('?limit=3')
  const rest = await list(`?limit=3&cursor=${first.next}`)
  const ids = [...first.records, ...rest.records].map(({ id }) => id)
  expect(ids).toEqual(ids.toSorted().toReversed())
  expect(rest.next).toBeUndefined()
})

test('records are filtered by states, trigger and time', async () => {
  await using gateway = await startGateway()
  await gateway.deploy('a')
  for (const query of ['', '', '?delayMs=60000']) await submit(gateway, `a/invocations${query}`)
  const [first, second, third] = [...gateway.records.records.values()]
  gateway.records.write({
    ...first!,
    state: 'failed',
    acceptedAt: 1000,
    input: { headers: [], body: 'x', bodyEncoding: 'utf8' },
  })
  gateway.records.write({ ...second!, state: 'expired', acceptedAt: 2000, cause: { trigger: 'orders' as never } })
  const list = async (query: string): Promise<unknown[]> => {
    const response = await fetch(`${gateway.url}/v1/invocations?${query}`, { headers: AUTH })
    return ((await response.json()) as { records: { id: string; input?: unknown }[] }).records.map(
      ({ id, input }) => input ?? id,
    )
  }
  expect(await list('state=failed,expired')).toEqual([second!.id, first!.id])
  expect(await list('state=failed&state=queued')).toEqual([third!.id, first!.id])
  expect(await list('trigger=orders')).toEqual([second!.id])
  expect(await list('since=2000&before=1970-01-01T00:00:03Z')).toEqual([second!.id])
  expect(await list('before=2000')).toEqual([first!.id])
})

test('the input is shown when it is asked for', async () => {
  await using gateway = await startGateway()
  await gateway.deploy('a')
  await submit(gateway, 'a/invocations')
  const [record] = gateway.records.records.values()
  const input = { headers: [['x', '1']], body: 'x', bodyEncoding: 'utf8' } as const
  gateway.records.write({ ...record!, state: 'succeeded', input })
  const get = async (query: string): Promise<unknown> =>
    (await fetch(`${gateway.url}/v1/invocations/${record!.id}${query}`, { headers: AUTH })).json()
  expect(await get('')).not.toHaveProperty('input')
  expect(await get('?input=true')).toMatchObject({ input })
})

test('following sends the newest, oldest first, and then every change', async () => {
  await using gateway = await startGateway()
  await gateway.deploy('a')
  await gateway.deploy('b')
  for (const name of ['a', 'b', 'a']) await submit(gateway, `${name}/invocations`)
  const [first, , third] = [...gateway.records.records.values()]
  const leaving = new AbortController()
  const url = `${gateway.url}/v1/invocations?follow=true&function=a`
  const response = await fetch(url, { headers: AUTH, signal: leaving.signal })
  expect(response.headers.get('content-type')).toBe('text/event-stream')
  const seen: [string, string][] = []
  const reading = (async () => {
    for await (const chunk of response.body as ReadableStream<Uint8Array>) {
      for (const [, data] of Buffer.from(chunk)
        .toString()
        .matchAll(/^data: (.*)$/gm)) {
        const { id, state } = JSON.parse(data!) as { id: string; state: string }
        seen.push([id, state])
      }
    }
  })()
  await expect
    .poll(() => seen)
    .toEqual([
      [first!.id, 'queued'],
      [third!.id, 'queued'],
    ])
  gateway.records.write({ ...third!, state: 'running' })
  gateway.records.write({ ...third!, state: 'succeeded' })
  await expect
    .poll(() => seen.slice(2))
    .toEqual([
      [third!.id, 'running'],
      [third!.id, 'succeeded'],
    ])
  leaving.abort()
  await expect(reading).rejects.toThrow()
  await expect.poll(() => gateway.records.followers).toBe(0)
})

test.for([
  '?state=failed,lost',
  '?trigger=A',
  '?since=yesterday',
  '?follow=yes',
  '?limit=0',
  '?limit=501',
  '?limit=x',
  '?state=lost',
  '?function=A',
  '?limit=1&limit=2',
])('the list refuses %s', async (query) => {
  await using gateway = await startGateway()
  expect((await fetch(`${gateway.url}/v1/invocations${query}`, { headers: AUTH })).status).toBe(400)
})

test.for(['00000000-0000-7000-8000-000000000000', 'nonsense'])('no invocation has the id %s', async (id) => {
  await using gateway = await startGateway()
  const response = await fetch(`${gateway.url}/v1/invocations/${id}`, { headers: AUTH })
  expect(response.status).toBe(404)
  expect(await response.json()).toMatchObject({ code: 'invocation-not-found' })
})
