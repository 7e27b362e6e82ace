// Async invocations from end to end: what is promised after the 202, through the API of a real instance.
import { join } from 'node:path'

import { afterAll, beforeAll, describe, expect, it } from 'vitest'

import type { InvocationRecord } from '#core/record'
import { tempDir, type TempDir } from '#test/temp-dir'

import { deployJs, SLOW, UPPER } from './functions.ts'
import { eventually, startHearth, type RunningHearth } from './hearth.ts'

/** Fails until it is told otherwise in the body. */
const PICKY = `export default {
  async fetch(request) {
    const text = await request.text()
    if (text === 'poison') throw new Error('cannot take it')
    return new Response(text)
  },
}`

describe('async invocations', () => {
  let dir: TempDir
  let hearth: RunningHearth

  beforeAll(async () => {
    dir = await tempDir({})
    hearth = await startHearth({
      HEARTH_DOCKER_HOST: 'unix:///nonexistent/docker.sock',
      HEARTH_DATA_DIR: join(dir.path, 'data'),
      HEARTH_CACHE_DIR: join(dir.path, 'cache'),
    })
    await deployJs(hearth, 'up', UPPER)
    await deployJs(hearth, 'slow', SLOW, '?timeoutMs=60000')
    await deployJs(hearth, 'picky', PICKY, '?maxAttempts=2&retryDelayMs=10')
  })
  afterAll(async () => {
    await hearth?.[Symbol.asyncDispose]()
    await dir[Symbol.asyncDispose]()
  })

  async function post<T>(path: string, init: RequestInit = {}): Promise<T> {
    const response = await hearth.api(path, { method: 'POST', ...init })
    if (!response.ok) throw new Error(await response.text())
    return (await response.json()) as T
  }

  function submit(name: string, body: string, query = ''): Promise<{ id: string }> {
    return post(`/v1/functions/${name}/invocations${query}`, { body })
  }

  async function recordOf(id: string, query = ''): Promise<InvocationRecord> {
    return (await (await hearth.api(`/v1/invocations/${id}${query}`)).json()) as InvocationRecord
  }

  async function callOnce(body: string): Promise<[number, string, string | null]> {
    const response = await hearth.fn('up', { method: 'POST', body, headers: { 'idempotency-key': 'sync' } })
    return [response.status, await response.text(), response.headers.get('hearth-idempotent-replay')]
  }

  function until(id: string, ...states: readonly string[]): Promise<InvocationRecord> {
    return eventually(
      () => recordOf(id),
      ({ state }) => states.includes(state),
    )
  }

  it('end in a record with result and input, and can be made again', async () => {
    const { id } = await submit('up', 'later', '?priority=3')
    expect(await until(id, 'succeeded')).toMatchObject({ result: { body: 'LATER' } })
    expect(await recordOf(id, '?input=true')).toMatchObject({ input: { body: 'later', bodyEncoding: 'utf8' } })
    const replay = await post<{ id: string }>(`/v1/invocations/${id}/replay`)
    expect(await until(replay.id, 'succeeded')).toMatchObject({ cause: { replayOf: id }, result: { body: 'LATER' } })
  })

  it('wait for their time, and are cancelled while they wait or run', async () => {
    const waiting = await submit('up', 'x', '?delayMs=600000')
    expect(await post(`/v1/invocations/${waiting.id}/cancel`)).toEqual({ id: waiting.id, state: 'cancelled' })
    const running = await submit('slow', '', `?path=${encodeURIComponent('/?ms=50000')}`)
    await until(running.id, 'running')
    expect(await post(`/v1/invocations/${running.id}/cancel`)).toEqual({ id: running.id, state: 'cancelling' })
    expect(await until(running.id, 'cancelled')).toMatchObject({ attempts: [{ state: 'cancelled' }] })
    const soon = await submit('up', 'soon', '?delayMs=300')
    expect(await until(soon.id, 'succeeded')).toMatchObject({ result: { body: 'SOON' } })
  })

  it('that fail for good become dead letters, and are queued again after a repair', async () => {
    const { id } = await submit('picky', 'poison')
    expect(await until(id, 'failed')).toMatchObject({ attempts: [{ number: 1 }, { number: 2 }] })
    const letters = '/v1/functions/picky/dead-letters'
    const letter = await (await hearth.api(`${letters}/${id}`)).json()
    expect(letter).toMatchObject({ id, attempts: 2, error: { code: 'function-failed' }, input: { body: 'poison' } })
    await deployJs(hearth, 'picky', UPPER, '?maxAttempts=2')
    expect(await post(`${letters}/redrive`)).toEqual({ redriven: 1, failed: 0, remaining: 0 })
    const { records } = (await (await hearth.api('/v1/invocations?function=picky&limit=1')).json()) as {
      records: InvocationRecord[]
    }
    expect(await until(records[0]!.id, 'succeeded')).toMatchObject({
      cause: { replayOf: id },
      result: { body: 'POISON' },
    })
  })

  it('come by the batch, once each when they have keys', async () => {
    const body = Array.from({ length: 50 }, (_, n) => JSON.stringify({ body: `b${n}`, idempotencyKey: `k${n}` })).join(
      '\n',
    )
    const send = (): Promise<{ accepted: number; invocations: { id: string }[] }> =>
      post('/v1/functions/up/invocations/batch', { body })
    const [first, second] = [await send(), await send()]
    expect(first.accepted).toBe(50)
    expect(second.invocations).toEqual(first.invocations)
    for (const [n, { id }] of first.invocations.entries()) {
      expect(await until(id, 'succeeded')).toMatchObject({ result: { body: `B${n}` } })
    }
  })

  it('are counted, and their lanes are measured', async () => {
    const { id } = await submit('up', 'x', '?delayMs=600000')
    const lines = (await (await fetch(`${hearth.url}/metrics`)).text()).split('\n')
    expect(lines).toContain('hearth_lane_depth{function="up",state="delayed"} 1')
    expect(lines.find((line) => line.startsWith('hearth_async_total{function="up",state="succeeded"}'))).toBeDefined()
    expect(lines).toContain('hearth_async_total{function="picky",state="failed"} 1')
    const status = (await (await hearth.api('/v1/functions/up')).json()) as object
    expect(status).toMatchObject({ lane: { waiting: 0, delayed: 1, running: 0, deadLetters: 0 } })
    await post(`/v1/invocations/${id}/cancel`)
  })

  it('and calls at once keep to their keys', async () => {
    expect(await callOnce('once')).toEqual([200, 'ONCE', null])
    expect(await callOnce('once')).toEqual([200, 'ONCE', 'true'])
    expect((await callOnce('twice'))[0]).toBe(409)
  })
})
