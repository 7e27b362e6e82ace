// The gateway on the real store: what the parts in memory might be too kind about.
import { expect, test } from 'vitest'

import { startTestRedis } from '#test/redis'

import { respond } from './memory.ts'
import { startOnRedis } from './on-redis.ts'
import { until } from './raw.ts'
import { AUTH } from './start.ts'

function deploy(url: string, name: string, code: string): Promise<Response> {
  const headers = { ...AUTH, 'content-type': 'text/javascript' }
  return fetch(`${url}/v1/functions/${name}`, { method: 'PUT', headers, body: code })
}

test('a deploy, a call, a call for later, records and logs, on Redis', async () => {
  await using redis = await startTestRedis()
  await using started = await startOnRedis(redis.url)
  const { url, invoker } = started
  expect((await deploy(url, 'up', 'one')).status).toBe(201)
  expect((await deploy(url, 'up', 'one')).status).toBe(200)
  invoker.script = async (_invocation, sink) => {
    sink.log({ at: 1, stream: 'stdout', text: 'called' })
    return respond(sink, 200, 'hello')
  }
  const called = await fetch(`${url}/fn/up/x`)
  expect(await called.text()).toBe('hello')
  const id = called.headers.get('hearth-invocation-id')
  const get = async (path: string): Promise<unknown> => (await fetch(url + path, { headers: AUTH })).json()
  await until(() => invoker.invocations.length === 1)
  expect(await get(`/v1/invocations/${id}`)).toMatchObject({ id, state: 'succeeded', request: { target: '/x' } })
  expect(await get(`/v1/invocations/${id}/logs`)).toMatchObject({ lines: [{ text: 'called', invocation: id }] })
  expect(await get('/v1/functions/up/logs')).toMatchObject({ lines: [{ text: 'called' }] })
  const later = await fetch(`${url}/v1/functions/up/invocations`, { method: 'POST', headers: AUTH, body: 'later' })
  const { id: queued } = (await later.json()) as { id: string }
  expect(await get(`/v1/invocations/${queued}`)).toMatchObject({ state: 'queued', trigger: 'async' })
  expect(await get('/v1/invocations?function=up&state=queued')).toMatchObject({ records: [{ id: queued }] })
  expect(await get('/v1/functions/up')).toMatchObject({ lane: { waiting: 1, delayed: 0, running: 0, deadLetters: 0 } })
  expect(await (await fetch(`${url}/v1/functions/up/code`, { headers: AUTH })).text()).toBe('one')
  expect((await fetch(`${url}/v1/functions/up`, { method: 'DELETE', headers: AUTH })).status).toBe(204)
  expect((await fetch(`${url}/fn/up`)).status).toBe(404)
})

async function versionAt(url: string): Promise<string | null> {
  const response = await fetch(`${url}/fn/up`)
  await response.text()
  return response.headers.get('hearth-version')
}

test('another gateway sees a deploy and a removal', async () => {
  await using redis = await startTestRedis()
  await using one = await startOnRedis(redis.url)
  await using two = await startOnRedis(redis.url)
  await deploy(one.url, 'up', 'one')
  expect(await versionAt(two.url)).toBe('1')
  await deploy(one.url, 'up', 'two')
  await expect.poll(() => versionAt(two.url)).toBe('2')
  await fetch(`${two.url}/v1/functions/up`, { method: 'DELETE', headers: AUTH })
  await expect.poll(() => versionAt(one.url)).toBeNull()
})

test('following the logs sees what another gateway writes, once', async () => {
  await using redis = await startTestRedis()
  await using one = await startOnRedis(redis.url)
  await using two = await startOnRedis(redis.url)
  two.invoker.script = async ({ request: { target } }, sink) => {
    sink.log({ at: 1, stream: 'stdout', text: target })
    return respond(sink, 200, 'ok')
  }
  await deploy(one.url, 'talk', 'one')
  await (await fetch(`${two.url}/fn/talk/0`)).text()
  await expect
    .poll(async () => (await fetch(`${one.url}/v1/functions/talk/logs`, { headers: AUTH })).text())
    .toContain('"/0"')
  const leaving = new AbortController()
  const response = await fetch(`${one.url}/v1/functions/talk/logs?follow=true`, {
    headers: AUTH,
    signal: leaving.signal,
  })
  const seen: string[] = []
  const reading = (async () => {
    for await (const chunk of response.body as ReadableStream<Uint8Array>) {
      seen.push(
        ...[
          ...Buffer.from(chunk)
            .toString()
            .matchAll(/"text":"(\/\d)"/g),
        ].map(([, text]) => text as string),
      )
    }
  })()
  for (const path of ['1', '2', '3']) await (await fetch(`${two.url}/fn/talk/${path}`)).text()
  await expect.poll(() => seen).toEqual(['/0', '/1', '/2', '/3'])
  leaving.abort()
  await expect(reading).rejects.toThrow()
})

test('without Redis warm calls go on, the rest is 503', async () => {
  await using redis = await startTestRedis()
  await using started = await startOnRedis(redis.url)
  const { url } = started
  await deploy(url, 'up', 'one')
  // The news of the deploy makes the gateway read the function again: only then is it warm for good.
  await expect.poll(() => started.invoker.retired).toContainEqual(['up', 1])
  expect((await fetch(`${url}/fn/up`)).status).toBe(200)
  await redis.kill()
  expect((await fetch(`${url}/fn/up`)).status).toBe(200)
  const answers = await Promise.all([
    fetch(`${url}/readyz`),
    fetch(`${url}/fn/unknown`),
    fetch(`${url}/v1/functions`, { headers: AUTH }),
    fetch(`${url}/v1/functions/up/invocations`, { method: 'POST', headers: AUTH, body: 'x' }),
    deploy(url, 'other', 'two'),
  ])
  for (const answer of answers) {
    expect(answer.status).toBe(503)
    expect(await answer.json()).toMatchObject({ code: 'store-unavailable' })
  }
  expect((await fetch(`${url}/healthz`)).status).toBe(200)
  await redis.restart()
  await expect.poll(async () => (await fetch(`${url}/readyz`)).status, { timeout: 10_000 }).toBe(200)
})
