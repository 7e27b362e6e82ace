import { expect, test } from 'vitest'

import { AUTH, startGateway, type Started } from '../start.ts'

async function call(
  { url }: Started,
  method: string,
  path: string,
  body?: unknown,
): Promise<{ status: number; json: Record<string, unknown> }> {
  const text = typeof body === 'string' ? body : JSON.stringify(body)
  const response = await fetch(url + path, { method, headers: AUTH, ...(body === undefined ? {} : { body: text }) })
  const answer = await response.text()
  return { status: response.status, json: answer === '' ? {} : (JSON.parse(answer) as Record<string, unknown>) }
}

const HOOK = {
  kind: 'http',
  function: 'up',
  source: { verify: 'github', secrets: ['a long secret', 'another one'] },
}

test('a trigger is made, shown, changed, switched off and on, and removed', async () => {
  await using gateway = await startGateway()
  await gateway.deploy('up')
  const made = await call(gateway, 'PUT', '/v1/triggers/repo', HOOK)
  expect(made).toMatchObject({
    status: 201,
    json: {
      name: 'repo',
      revision: 1,
      spec: { kind: 'http', enabled: true, concurrency: 0, source: { verify: 'github', secrets: ['***', '***'] } },
      status: { state: expect.stringMatching(/starting|listening/) },
    },
  })
  const shown = (await call(gateway, 'GET', '/v1/triggers/repo')).json.spec as Record<string, unknown>
  const again = await call(gateway, 'PUT', '/v1/triggers/repo', { ...shown, path: '/hook' })
  expect(again).toMatchObject({ status: 200, json: { revision: 2, spec: { path: '/hook' } } })
  expect([...gateway.triggers.triggers.values()][0]?.spec.source.secrets).toEqual(['a long secret', 'another one'])
  expect((await call(gateway, 'POST', '/v1/triggers/repo/disable')).json).toMatchObject({
    spec: { enabled: false },
    status: { state: 'disabled' },
  })
  expect((await call(gateway, 'POST', '/v1/triggers/repo/enable')).json).toMatchObject({ spec: { enabled: true } })
  expect((await call(gateway, 'GET', '/v1/triggers')).json).toMatchObject({ triggers: [{ name: 'repo' }] })
  expect((await call(gateway, 'DELETE', '/v1/triggers/repo')).status).toBe(204)
  expect(await call(gateway, 'GET', '/v1/triggers/repo')).toMatchObject({
    status: 404,
    json: { code: 'trigger-not-found' },
  })
})

test('a trigger whose function was removed says so, and works again when there is one', async () => {
  await using gateway = await startGateway()
  await gateway.deploy('up')
  await call(gateway, 'PUT', '/v1/triggers/repo', HOOK)
  expect((await call(gateway, 'DELETE', '/v1/functions/up')).status).toBe(204)
  const failing = { state: 'failing', reason: 'no function has the name "up"' }
  expect((await call(gateway, 'GET', '/v1/triggers/repo')).json).toMatchObject({ status: failing })
  expect((await call(gateway, 'GET', '/v1/triggers')).json).toMatchObject({ triggers: [{ status: failing }] })
  await gateway.deploy('up')
  const { status } = (await call(gateway, 'GET', '/v1/triggers/repo')).json as { status: { state: string } }
  expect(status.state).not.toBe('failing')
})

test('what cannot be is refused, and the field is named', async () => {
  await using gateway = await startGateway()
  await gateway.deploy('up')
  const put = (body: unknown, name = 'x') => call(gateway, 'PUT', `/v1/triggers/${name}`, body)
  expect(await put({ ...HOOK, function: 'gone' })).toMatchObject({ status: 404, json: { code: 'function-not-found' } })
  expect(await put('{')).toMatchObject({ status: 400, json: { code: 'invalid-trigger' } })
  expect(await put({ ...HOOK, batch: 1 })).toMatchObject({
    status: 400,
    json: { code: 'invalid-trigger', field: 'batch' },
  })
  expect(await put(HOOK, 'Not-A-Name')).toMatchObject({ status: 400, json: { code: 'invalid-name' } })
  for (const [method, path] of [
    ['GET', '/v1/triggers/none'],
    ['DELETE', '/v1/triggers/none'],
    ['POST', '/v1/triggers/none/enable'],
  ] as const) {
    expect(await call(gateway, method, path)).toMatchObject({ status: 404, json: { code: 'trigger-not-found' } })
  }
  expect((await fetch(`${gateway.url}/v1/triggers`)).status).toBe(401)
})
