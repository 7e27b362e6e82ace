import { unzipSync } from 'fflate'
import { expect, test } from 'vitest'

import { untar } from '#gateway/upload/tar'

import { AUTH, startGateway } from '../start.ts'
import type { Started } from '../start.ts'

function get(gateway: Started, path: string): Promise<Response> {
  return fetch(gateway.url + path, { headers: AUTH })
}

async function deployFiles(gateway: Started, name: string, files: Record<string, string>): Promise<void> {
  const headers = { ...AUTH, 'content-type': 'application/json' }
  const body = JSON.stringify({ files, spec: { runtime: 'js' } })
  expect((await fetch(`${gateway.url}/v1/functions/${name}`, { method: 'PUT', headers, body })).ok).toBe(true)
}

test('functions are listed by name with what they are', async () => {
  await using gateway = await startGateway()
  expect(await (await get(gateway, '/v1/functions')).json()).toEqual({ functions: [] })
  await gateway.deploy('b')
  await gateway.deploy('a')
  const { functions } = (await (await get(gateway, '/v1/functions')).json()) as { functions: object[] }
  expect(functions).toMatchObject([
    { function: 'a', version: 1, state: 'warm', runtime: 'js', url: `${gateway.url}/fn/a` },
    { function: 'b', version: 1 },
  ])
})

test('the status has the spec, sandboxes by state, what waits, and the last starts', async () => {
  await using gateway = await startGateway()
  await gateway.deploy('up')
  await fetch(`${gateway.url}/v1/functions/up/invocations`, { method: 'POST', headers: AUTH })
  expect(await (await get(gateway, '/v1/functions/up')).json()).toMatchObject({
    function: 'up',
    spec: { runtime: 'js', timeoutMs: 30_000 },
    sandboxes: { starting: 0, idle: 1, paused: 0, hibernated: 0, busy: 0, draining: 0, generic: 0 },
    waiting: 0,
    lane: { waiting: 1, delayed: 0, running: 0, deadLetters: 0 },
    starts: { cold: 1, specialized: 0, warm: 2 },
    lastStarts: [{ at: 1, kind: 'cold', startMs: 20 }],
    keepAlive: { basis: 'standard', idleTimes: 0 },
  })
})

test('versions are listed newest first', async () => {
  await using gateway = await startGateway()
  await gateway.deploy('up')
  await gateway.deploy('up', '?timeoutMs=50')
  expect(await (await get(gateway, '/v1/functions/up/versions')).json()).toMatchObject({
    versions: [
      { version: 2, spec: { timeoutMs: 50 } },
      { version: 1, toolchain: 'copy 1' },
    ],
  })
})

test('a removed function is gone everywhere', async () => {
  await using gateway = await startGateway()
  await gateway.deploy('up')
  await fetch(`${gateway.url}/fn/up`)
  const removed = await fetch(`${gateway.url}/v1/functions/up`, { method: 'DELETE', headers: AUTH })
  expect(removed.status).toBe(204)
  expect((await fetch(`${gateway.url}/fn/up`)).status).toBe(404)
  expect((await get(gateway, '/v1/functions/up')).status).toBe(404)
  await expect.poll(() => gateway.invoker.retired.at(-1)).toEqual(['up', undefined])
  expect(gateway.lanes.removed).toEqual(['up'])
  expect(await (await fetch(`${gateway.url}/metrics`)).text()).not.toContain('function="up"')
  expect((await fetch(`${gateway.url}/v1/functions/up`, { method: 'DELETE', headers: AUTH })).status).toBe(404)
})

test('a single file of code comes back as it was', async () => {
  await using gateway = await startGateway()
  await deployFiles(gateway, 'up', { 'index.ts': 'export default 1' })
  const response = await get(gateway, '/v1/functions/up/code')
  expect(response.headers.get('content-type')).toBe('application/typescript; charset=utf-8')
  expect(response.headers.get('content-disposition')).toBe('attachment; filename="index.ts"')
  expect(await response.text()).toBe('export default 1')
})

test('several files come back as an archive that is always the same', async () => {
  await using gateway = await startGateway()
  await deployFiles(gateway, 'one', { 'index.js': '1', 'lib/a.js': '2' })
  await deployFiles(gateway, 'two', { 'lib/a.js': '2', 'index.js': '1' })
  const [one, two] = await Promise.all(
    ['one', 'two'].map(async (name) => (await get(gateway, `/v1/functions/${name}/code`)).bytes()),
  )
  expect(one).toEqual(two)
  expect([...(await untar(one as Uint8Array, 1000)).keys()]).toEqual(['index.js', 'lib/a.js'])
  const zip = await get(gateway, '/v1/functions/one/code?format=zip')
  expect(zip.headers.get('content-type')).toBe('application/zip')
  expect(Object.keys(unzipSync(await zip.bytes()))).toEqual(['index.js', 'lib/a.js'])
  expect((await get(gateway, '/v1/functions/one/code?format=raw')).status).toBe(400)
})

test('the code of an older version can be had', async () => {
  await using gateway = await startGateway()
  await deployFiles(gateway, 'up', { 'index.js': 'one' })
  await deployFiles(gateway, 'up', { 'index.js': 'two' })
  expect(await (await get(gateway, '/v1/functions/up/code?version=1')).text()).toBe('one')
  expect(await (await get(gateway, '/v1/functions/up/code')).text()).toBe('two')
  expect((await get(gateway, '/v1/functions/up/code?version=3')).status).toBe(404)
  expect((await get(gateway, '/v1/functions/up/code?version=x')).status).toBe(400)
})

test.for(['', '/versions', '/code', '/logs'])('an unknown function is a 404 at …/nope%s', async (path) => {
  await using gateway = await startGateway()
  const response = await get(gateway, `/v1/functions/nope${path}`)
  expect(response.status).toBe(404)
  expect(await response.json()).toMatchObject({ code: 'function-not-found' })
})

test('the list comes in pages, by name', async () => {
  await using gateway = await startGateway()
  for (const name of ['c', 'a', 'd', 'b', 'e']) await gateway.deploy(name)
  const page = async (query: string): Promise<{ functions: { function: string }[]; next?: string }> =>
    (await get(gateway, `/v1/functions${query}`)).json() as never
  const names: string[] = []
  let next: string | undefined = ''
  while (next !== undefined) {
    const answer = await page(`?limit=2&cursor=${next}`)
    names.push(...answer.functions.map((each) => each.function))
    next = answer.next
  }
  expect(names).toEqual(['a', 'b', 'c', 'd', 'e'])
  expect(await page('')).not.toHaveProperty('next')
  expect((await get(gateway, '/v1/functions?limit=1001')).status).toBe(400)
})
