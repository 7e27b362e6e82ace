import { expect, test } from 'vitest'

import { AUTH, startGateway } from '../start.ts'

test('/healthz and /readyz answer without a token', async () => {
  await using gateway = await startGateway()
  expect(await (await fetch(`${gateway.url}/healthz`)).json()).toEqual({ status: 'ok' })
  const ready = await fetch(`${gateway.url}/readyz`)
  expect(await ready.json()).toEqual({ status: 'ready', drivers: [{ name: 'fake', on: true, detail: 'scripted' }] })
})

test('without a store it lives and is not ready', async () => {
  await using gateway = await startGateway()
  gateway.store.ping = async () => {
    throw new Error('connection refused at 10.0.0.1')
  }
  expect((await fetch(`${gateway.url}/healthz`)).status).toBe(200)
  const response = await fetch(`${gateway.url}/readyz`)
  expect(response.status).toBe(503)
  const text = await response.text()
  expect(JSON.parse(text)).toMatchObject({ code: 'store-unavailable' })
  expect(text).not.toContain('10.0.0.1')
})

test('/metrics counts by function, outcome and start, and times what took time', async () => {
  await using gateway = await startGateway()
  await gateway.deploy('up')
  gateway.invoker.start = { kind: 'cold', queueMs: 2, startMs: 20 }
  await (await fetch(`${gateway.url}/fn/up`)).text()
  gateway.invoker.start = { kind: 'warm', queueMs: 0, startMs: 0 }
  gateway.invoker.script = async () => ({ kind: 'timed-out', limitMs: 1 })
  await (await fetch(`${gateway.url}/fn/up`)).text()
  gateway.invoker.script = async () => {
    throw new Error('bug')
  }
  await (await fetch(`${gateway.url}/fn/up`)).text()
  const response = await fetch(`${gateway.url}/metrics`)
  expect(response.headers.get('content-type')).toMatch(/^text\/plain; version=0\.0\.4/)
  const lines = (await response.text()).split('\n')
  expect(lines).toEqual(
    expect.arrayContaining([
      '# TYPE hearth_invocations_total counter',
      'hearth_invocations_total{function="up",outcome="responded",start="cold"} 1',
      'hearth_invocations_total{function="up",outcome="timed-out",start="warm"} 1',
      'hearth_invocations_total{function="up",outcome="refused",start="none"} 1',
      '# TYPE hearth_start_seconds histogram',
      'hearth_start_seconds_bucket{function="up",le="0.01"} 0',
      'hearth_start_seconds_bucket{function="up",le="0.025"} 1',
      'hearth_start_seconds_bucket{function="up",le="+Inf"} 1',
      'hearth_start_seconds_sum{function="up"} 0.02',
      'hearth_start_seconds_count{function="up"} 1',
      'hearth_queue_seconds_count{function="up"} 2',
      'hearth_run_seconds_sum{function="up"} 0.003',
      'hearth_sandboxes{driver="fake",state="idle"} 2',
      'hearth_sandboxes{driver="fake",state="paused"} 1',
      'hearth_sandbox_counted_bytes{driver="fake",state="paused"} 268435456',
      'hearth_sandbox_resident_bytes{driver="fake",state="paused"} 12000000',
      '# TYPE hearth_wakes_total counter',
      'hearth_wakes_total{driver="fake",state="paused"} 4',
      'hearth_wake_seconds_total{driver="fake",state="paused"} 0.006',
      'hearth_wake_median_seconds{driver="fake",state="paused"} 0.001',
    ]),
  )
})

test('an invocation that came another way is counted too', async () => {
  await using gateway = await startGateway()
  await gateway.deploy('up')
  const { version } = { version: (await gateway.functions.list())[0] }
  const start = { kind: 'specialized', queueMs: 0, startMs: 3 } as const
  gateway.gateway.observe(version?.name as never, {
    outcome: { kind: 'responded', status: 200 },
    start,
    timings: { queueMs: 0, startMs: 3, runMs: 1 },
  })
  const text = await (await fetch(`${gateway.url}/metrics`)).text()
  expect(text).toContain('hearth_invocations_total{function="up",outcome="responded",start="specialized"} 1')
})

test('what is not there is a problem, and a wrong method says which would do', async () => {
  await using gateway = await startGateway()
  const nothing = await fetch(`${gateway.url}/nothing?secret=1`)
  expect(nothing.status).toBe(404)
  expect(nothing.headers.get('content-type')).toBe('application/problem+json')
  expect(await nothing.json()).toMatchObject({ code: 'route-not-found', detail: 'no route has the path /nothing' })
  const wrong = await fetch(`${gateway.url}/v1/functions/up`, { method: 'PATCH', headers: AUTH })
  expect(wrong.status).toBe(405)
  expect(wrong.headers.get('allow')).toBe('PUT, GET, HEAD, DELETE')
  expect(await wrong.json()).toMatchObject({ code: 'method-not-allowed' })
  const malformed = await fetch(`${gateway.url}/v1/functions/%zz`, { headers: AUTH })
  expect(malformed.status).toBe(400)
  expect(await malformed.json()).toMatchObject({ code: 'invalid-request' })
})
