import { expect, test } from 'vitest'

import { respond, WARM } from '../memory.ts'
import { until } from '../raw.ts'
import { startGateway } from '../start.ts'

test('a function that fails is a 500 whose message is in the record only', async () => {
  await using gateway = await startGateway()
  await gateway.deploy('bad')
  const failure = { type: 'TypeError', message: 'secret detail', stack: 'at secret.js:1' }
  gateway.invoker.script = async () => ({ kind: 'failed', failure })
  const response = await fetch(`${gateway.url}/fn/bad`)
  const text = await response.text()
  expect(response.status).toBe(500)
  expect(response.headers.get('hearth-error')).toBe('function-failed')
  expect(response.headers.get('content-type')).toBe('application/problem+json')
  expect(response.headers.get('hearth-start')).toBe('warm')
  expect(text).toContain('TypeError')
  expect(text).not.toContain('secret')
  const record = [...gateway.records.records.values()][0]
  expect(record).toMatchObject({
    state: 'failed',
    error: { code: 'function-failed', message: 'secret detail', failure },
  })
  expect(record?.attempts[0]).toMatchObject({ number: 1, start: 'warm', timings: { runMs: 1.5 } })
})

test.for([
  [{ kind: 'timed-out', limitMs: 50 }, 504, 'timed-out', 'timed-out'],
  [{ kind: 'out-of-memory', limitMiB: 64 }, 507, 'out-of-memory', 'out-of-memory'],
  [{ kind: 'exited', detail: 'exit code 7' }, 502, 'sandbox-exited', 'failed'],
] as const)('the outcome %o is the status %i', async ([outcome, status, code, state]) => {
  await using gateway = await startGateway()
  await gateway.deploy('bad')
  gateway.invoker.script = async () => outcome
  const response = await fetch(`${gateway.url}/fn/bad`)
  expect(response.status).toBe(status)
  expect(response.headers.get('hearth-error')).toBe(code)
  expect(await response.json()).toMatchObject({ code, status })
  expect([...gateway.records.records.values()][0]?.state).toBe(state)
})

test('logs are written as they come, with their invocation', async () => {
  await using gateway = await startGateway()
  await gateway.deploy('talk')
  const goOn = Promise.withResolvers<void>()
  gateway.invoker.script = async (_invocation, sink) => {
    sink.log({ at: 5, stream: 'stderr', text: 'hm' })
    await goOn.promise
    return respond(sink, 200, 'said')
  }
  const response = fetch(`${gateway.url}/fn/talk`)
  await until(() => gateway.records.lines.length === 1)
  const { id } = gateway.invoker.invocations[0] ?? {}
  expect(gateway.records.lines).toEqual([{ at: 5, stream: 'stderr', text: 'hm', function: 'talk', invocation: id }])
  goOn.resolve()
  await (await response).text()
})

test('over the budget of records only failures are recorded, with the logs before them', async () => {
  await using gateway = await startGateway({ syncRecordsPerS: 0 })
  await gateway.deploy('some')
  gateway.invoker.script = async ({ request: { target } }, sink) => {
    sink.log({ at: 1, stream: 'stdout', text: target })
    return target === '/bad' ? { kind: 'failed', failure: { type: 'Error', message: 'x' } } : respond(sink, 200, 'ok')
  }
  await (await fetch(`${gateway.url}/fn/some/good`)).text()
  await (await fetch(`${gateway.url}/fn/some/bad`)).text()
  expect([...gateway.records.records.values()].map(({ request: { target } }) => target)).toEqual(['/bad'])
  expect(gateway.records.lines.map(({ text }) => text)).toEqual(['/bad'])
})

test('lines that come after the end of a recorded call are kept, those of another are not', async () => {
  await using gateway = await startGateway({ syncRecordsPerS: 0 })
  await gateway.deploy('some')
  const late: (() => void)[] = []
  gateway.invoker.script = async ({ request: { target } }, sink) => {
    const log = (text: string): void => sink.log({ at: 1, stream: 'stdout', text: `${target} ${text}` })
    log('before')
    late.push(() => log('after'))
    return target === '/bad' ? { kind: 'timed-out', limitMs: 1 } : respond(sink, 200, 'ok')
  }
  await (await fetch(`${gateway.url}/fn/some/good`)).text()
  await (await fetch(`${gateway.url}/fn/some/bad`)).text()
  for (const write of late) write()
  expect(gateway.records.lines.map(({ text }) => text)).toEqual(['/bad before', '/bad after'])
})

test('a record of success says what was asked and answered', async () => {
  await using gateway = await startGateway()
  await gateway.deploy('up')
  gateway.invoker.start = WARM
  await (await fetch(`${gateway.url}/fn/up/x?y`, { method: 'POST', body: 'abc' })).text()
  expect([...gateway.records.records.values()][0]).toMatchObject({
    function: 'up',
    version: 1,
    trigger: 'http',
    state: 'succeeded',
    request: { method: 'POST', target: '/x?y', bodyBytes: 3 },
    result: { status: 200, headers: [['content-type', 'text/plain']], bodyBytes: 5 },
  })
})
