// What a new user does first, as the README says it.
import { readFile, stat } from 'node:fs/promises'
import { join } from 'node:path'

import { afterAll, beforeAll, describe, expect, it } from 'vitest'

import type { InvocationRecord } from '#core/record'
import { tempDir, type TempDir } from '#test/temp-dir'

import { deployJs, UPPER } from './functions.ts'
import { eventually, startHearth, type RunningHearth } from './hearth.ts'

describe('the first start', () => {
  let dir: TempDir
  let hearth: RunningHearth

  beforeAll(async () => {
    dir = await tempDir()
    hearth = await startHearth({
      HEARTH_DATA_DIR: join(dir.path, 'data'),
      HEARTH_CACHE_DIR: join(dir.path, 'cache'),
      HEARTH_EXAMPLES: 'on',
      HEARTH_DOCKER_HOST: 'unix:///nonexistent/docker.sock',
    })
  })
  afterAll(async () => {
    await hearth?.[Symbol.asyncDispose]()
    await dir[Symbol.asyncDispose]()
  })

  it('names the URL, the token, the drivers with reasons, the data, Redis and something to call', () => {
    expect(hearth.ready).toMatchObject({
      url: expect.stringMatching(/^http:\/\/127\.0\.0\.1:\d+$/),
      token: join(dir.path, 'data', 'admin-token'),
      dataDir: join(dir.path, 'data'),
      callable: 'hello-js',
    })
    const [wasm, docker] = hearth.ready.drivers
    expect(wasm).toMatchObject({ name: 'wasm', on: true })
    expect(docker).toEqual({ name: 'docker', on: false, reason: 'no daemon at /nonexistent/docker.sock' })
    expect(hearth.ready.redis).toMatch(/redis|valkey/)
  })

  it('keeps the token for its owner only', async () => {
    const { mode } = await stat(hearth.ready.token)
    expect(mode & 0o777).toBe(0o600)
    expect((await readFile(hearth.ready.token, 'utf8')).trim().length).toBeGreaterThanOrEqual(40)
  })

  it('has deployed an example that answers at once', async () => {
    const response = await hearth.fn('hello-js?name=Ada')
    expect(response.status).toBe(200)
    expect(await response.text()).toContain('Hello, Ada!')
    expect(response.headers.get('hearth-start')).toMatch(/^(?:cold|specialized|warm)$/)
  })

  it('takes a deploy over HTTP and runs it', async () => {
    const deployed = await deployJs(hearth, 'up', UPPER)
    expect(deployed.status).toBe(201)
    expect(await (await hearth.fn('up', { method: 'POST', body: 'warm' })).text()).toBe('WARM')
  })

  it('answers 200 to the same deploy again', async () => {
    expect((await deployJs(hearth, 'up', UPPER)).status).toBe(200)
  })

  it('refuses a body over the limit of Wasm, declared or not, and says the limit', async () => {
    const limit = 16 * 1024 * 1024
    const piece = Buffer.alloc(1024 * 1024)
    for (const body of [Buffer.alloc(limit + 1), ReadableStream.from(Array<Buffer>(17).fill(piece))]) {
      const response = await hearth.fn('up', { method: 'POST', body, duplex: 'half' })
      expect(response.status).toBe(413)
      expect(await response.json()).toMatchObject({
        code: 'payload-too-large',
        limit,
        detail: expect.stringContaining(`at most ${limit} bytes (the wasm driver)`),
      })
    }
    expect(await (await hearth.fn('up', { method: 'POST', body: 'next' })).text()).toBe('NEXT')
  })

  it('takes a call for later and keeps what came of it', async () => {
    const accepted = await hearth.api('/v1/functions/up/invocations', { method: 'POST', body: 'later' })
    expect(accepted.status).toBe(202)
    const { id } = (await accepted.json()) as { id: string }
    const record = await eventually(
      async () => (await (await hearth.api(`/v1/invocations/${id}`)).json()) as InvocationRecord,
      ({ state }) => state === 'succeeded',
    )
    expect(record).toMatchObject({ trigger: 'async', result: { status: 200, body: 'LATER' } })
  })

  it('says what is missing when a runtime needs Docker', async () => {
    const headers = { 'content-type': 'text/x-python' }
    const body = 'def handler(event, context): return event'
    const response = await hearth.api('/v1/functions/py', { method: 'PUT', headers, body })
    expect(response.status).toBe(503)
    expect(await response.json()).toMatchObject({
      code: 'driver-unavailable',
      detail: expect.stringContaining('no daemon at /nonexistent/docker.sock'),
    })
  })

  it('wants the token for management and only there', async () => {
    expect((await fetch(`${hearth.url}/v1/functions`)).status).toBe(401)
    expect((await fetch(`${hearth.url}/healthz`)).status).toBe(200)
    expect((await fetch(`${hearth.url}/readyz`)).status).toBe(200)
    expect((await fetch(`${hearth.url}/openapi.json`)).status).toBe(200)
    expect((await fetch(`${hearth.url}/docs`)).status).toBe(200)
  })

  it('shows calls, starts and sandboxes to Prometheus', async () => {
    const metrics = await (await fetch(`${hearth.url}/metrics`)).text()
    expect(metrics).toMatch(/hearth_invocations_total\{function="up",outcome="responded",start="\w+"\} [1-9]/)
    expect(metrics).toMatch(/hearth_sandboxes\{driver="wasm",state="idle"\} [1-9]/)
  })
})
