import { gzipSync } from 'node:zlib'

import { strToU8, zipSync } from 'fflate'
import { expect, test } from 'vitest'

import { buildFailed } from '#core/build'

import { AUTH, startGateway } from '../start.ts'
import type { Started } from '../start.ts'
import { until } from '../raw.ts'

const CODE = 'export default { fetch: () => new Response("hello") }'

function put(
  gateway: Started,
  path: string,
  contentType: string,
  body: NonNullable<RequestInit['body']>,
): Promise<Response> {
  return fetch(`${gateway.url}/v1/functions/${path}`, {
    method: 'PUT',
    headers: contentType === '' ? AUTH : { ...AUTH, 'content-type': contentType },
    body,
  })
}

async function specOf(gateway: Started, name: string): Promise<Record<string, unknown>> {
  const response = await fetch(`${gateway.url}/v1/functions/${name}`, { headers: AUTH })
  return ((await response.json()) as { spec: Record<string, unknown> }).spec
}

test.for([
  ['text/javascript', 'js', 'index.js'],
  ['application/javascript; charset=utf-8', 'js', 'index.js'],
  ['application/typescript', 'js', 'index.ts'],
  ['text/x-python', 'python', 'main.py'],
  ['application/wasm', 'wasm', 'main.wasm'],
])('a body of %s is a function of the runtime %s in %s', async ([type = '', runtime, path]) => {
  await using gateway = await startGateway()
  const response = await put(gateway, 'up', type, CODE)
  expect(response.status).toBe(201)
  expect(response.headers.get('location')).toBe('/v1/functions/up')
  expect(await response.json()).toMatchObject({
    function: 'up',
    version: 1,
    created: true,
    url: `${gateway.url}/fn/up`,
  })
  expect((await specOf(gateway, 'up')).runtime).toBe(runtime)
  const versions = await fetch(`${gateway.url}/v1/functions/up/versions`, { headers: AUTH })
  expect(await versions.json()).toMatchObject({ versions: [{ version: 1, files: [{ path, size: CODE.length }] }] })
})

test('fields of the spec come by query, and unknown ones are refused', async () => {
  await using gateway = await startGateway()
  const query = '?runtime=node&memoryMiB=128&timeoutMs=5000&env=%7B%22A%22%3A%22b%22%7D&egress=a.test,b.test'
  expect((await put(gateway, `up${query}`, 'text/javascript', CODE)).status).toBe(201)
  expect(await specOf(gateway, 'up')).toMatchObject({
    runtime: 'node',
    memoryMiB: 128,
    timeoutMs: 5000,
    env: { A: 'b' },
    egress: ['a.test', 'b.test'],
  })
  const refused = await put(gateway, 'up?memory=128', 'text/javascript', CODE)
  expect(refused.status).toBe(400)
  expect(await refused.json()).toMatchObject({ code: 'invalid-spec', detail: expect.stringContaining('"memory"') })
})

test('the query adds to the spec of a JSON or multipart body, and is checked like it', async () => {
  await using gateway = await startGateway()
  const json = JSON.stringify({ spec: { timeoutMs: 77 }, files: { 'index.js': CODE } })
  const form = new FormData()
  form.set('spec', '{"timeoutMs":77}')
  form.set('code', new Blob([CODE], { type: 'text/javascript' }), 'index.js')
  expect((await put(gateway, 'json?memoryMiB=128', 'application/json', json)).status).toBe(201)
  expect((await put(gateway, 'form?memoryMiB=128', '', form)).status).toBe(201)
  expect(await specOf(gateway, 'json')).toMatchObject({ timeoutMs: 77, memoryMiB: 128 })
  expect(await specOf(gateway, 'form')).toMatchObject({ timeoutMs: 77, memoryMiB: 128 })
  const unknown = await put(gateway, 'json?memory=128', 'application/json', json)
  expect(await unknown.json()).toMatchObject({ code: 'invalid-spec', detail: expect.stringContaining('"memory"') })
  const twice = await put(gateway, 'form?timeoutMs=78', '', form)
  expect(await twice.json()).toMatchObject({ code: 'invalid-spec', field: 'timeoutMs' })
})

test.for([
  ['multipart/form-data', 'x'],
  ['multipart/form-data; boundary=b', '--b\r\nContent-Disposition: form-data; name="code"\r\n\r\nexport'],
])('a damaged body of %s is a 400', async ([type = '', body = '']) => {
  await using gateway = await startGateway()
  const response = await put(gateway, 'up', type, body)
  expect(response.status).toBe(400)
  expect(await response.json()).toMatchObject({ code: 'invalid-request' })
})

test('the same code and spec again is a 200 without a build, anything else a new version', async () => {
  await using gateway = await startGateway()
  await put(gateway, 'up', 'text/javascript', CODE)
  const same = await put(gateway, 'up', 'text/javascript', CODE)
  expect(same.status).toBe(200)
  expect(await same.json()).toMatchObject({ version: 1, created: false })
  expect(gateway.builder.builds).toBe(1)
  expect((await put(gateway, 'up?timeoutMs=99', 'text/javascript', CODE)).status).toBe(201)
  expect((await put(gateway, 'up?timeoutMs=99', 'text/javascript', `${CODE};`)).status).toBe(201)
  await expect
    .poll(() => gateway.invoker.retired)
    .toEqual([
      ['up', 1],
      ['up', 2],
      ['up', 3],
    ])
})

test('a new version is called at once', async () => {
  await using gateway = await startGateway()
  await put(gateway, 'up', 'text/javascript', CODE)
  await fetch(`${gateway.url}/fn/up`)
  await put(gateway, 'up?timeoutMs=99', 'text/javascript', CODE)
  expect((await fetch(`${gateway.url}/fn/up`)).headers.get('hearth-version')).toBe('2')
})

test('a function that was missing is called at once after its deploy', async () => {
  await using gateway = await startGateway()
  expect((await fetch(`${gateway.url}/fn/up`)).status).toBe(404)
  await put(gateway, 'up', 'text/javascript', CODE)
  expect((await fetch(`${gateway.url}/fn/up`)).status).toBe(200)
})

test('a zip and a tar.gz are unpacked, and their single folder is taken off', async () => {
  await using gateway = await startGateway()
  const zip = zipSync({ 'app/index.ts': strToU8(CODE), 'app/lib/a.ts': strToU8('1'), '__MACOSX/._x': strToU8('') })
  expect((await put(gateway, 'zipped', 'application/zip', Buffer.from(zip))).status).toBe(201)
  const code = await fetch(`${gateway.url}/v1/functions/zipped/code`, { headers: AUTH })
  expect(code.headers.get('content-type')).toBe('application/gzip')
  const again = await put(gateway, 'again', 'application/gzip', Buffer.from(await code.arrayBuffer()))
  expect(again.status).toBe(201)
  const versions = await fetch(`${gateway.url}/v1/functions/again/versions`, { headers: AUTH })
  const [version] = ((await versions.json()) as { versions: { files: { path: string }[] }[] }).versions
  expect(version?.files.map(({ path }) => path)).toEqual(['index.ts', 'lib/a.ts'])
})

test('multipart has a code and a spec part; the file name says what the code is', async () => {
  await using gateway = await startGateway()
  const form = new FormData()
  form.set('spec', new Blob(['{"runtime":"node","env":{"A":"1"}}'], { type: 'application/json' }))
  form.set('code', new Blob([CODE]), 'whatever.mjs')
  expect((await put(gateway, 'up', '', form)).status).toBe(201)
  expect(await specOf(gateway, 'up')).toMatchObject({ runtime: 'node', env: { A: '1' } })
})

test('multipart takes a spec without a file name and code by its type', async () => {
  await using gateway = await startGateway()
  const body =
    '--b\r\ncontent-disposition: form-data; name="spec"\r\n\r\n{"timeoutMs":70}\r\n' +
    '--b\r\ncontent-disposition: form-data; name="code"\r\ncontent-type: text/x-python\r\n\r\nhandler = 1\r\n--b--\r\n'
  expect((await put(gateway, 'up', 'multipart/form-data; boundary=b', body)).status).toBe(201)
  expect(await specOf(gateway, 'up')).toMatchObject({ runtime: 'python', timeoutMs: 70 })
})

test.for([
  ['an unknown part', 'other'],
  ['no code', 'spec'],
] as const)('multipart with %s is refused', async ([, name]) => {
  await using gateway = await startGateway()
  const form = new FormData()
  form.set(name, '{}')
  const response = await put(gateway, 'up', '', form)
  expect(response.status).toBe(400)
  expect(await response.json()).toMatchObject({ code: 'invalid-request' })
})

test('JSON carries files as text or base64', async () => {
  await using gateway = await startGateway()
  const files = { 'main.py': 'import data', 'data.bin': { base64: Buffer.from([0, 255]).toString('base64') } }
  const response = await put(gateway, 'up', 'application/json', JSON.stringify({ spec: { timeoutMs: 50 }, files }))
  expect(response.status).toBe(201)
  expect(await specOf(gateway, 'up')).toMatchObject({ runtime: 'python', timeoutMs: 50 })
})

test.for([
  ['application/octet-stream', 'x', 415, 'unsupported-media-type'],
  ['text/javascript', '', 400, 'invalid-request'],
  ['application/json', '{', 400, 'invalid-request'],
  ['application/json', '{"files":{},"x":1}', 400, 'invalid-request'],
  ['application/json', '{"files":{"../a.js":"1"}}', 400, 'invalid-archive'],
  ['application/json', '{"files":{"a.txt":"1"}}', 400, 'invalid-spec'],
  ['application/zip', 'no zip', 400, 'invalid-archive'],
  ['application/gzip', 'no gzip', 400, 'invalid-archive'],
] as const)('%s with the body %j is the status %i, %s', async ([type, body, status, code]) => {
  await using gateway = await startGateway()
  const response = await put(gateway, 'up', type, body)
  expect(response.status).toBe(status)
  expect(await response.json()).toMatchObject({ code })
  expect(gateway.faults).toEqual([])
})

test('a body without Content-Type is told which there are', async () => {
  await using gateway = await startGateway()
  const response = await put(gateway, 'up', '', Buffer.from(CODE))
  expect(response.status).toBe(415)
  expect(await response.text()).toContain('text/javascript')
})

test('an upload over the limit is a 413, packed or unpacked or as a part', async () => {
  await using gateway = await startGateway({ maxUploadBytes: 100_000 })
  const form = new FormData()
  form.set('code', new Blob([Buffer.alloc(150_000)]), 'index.js')
  const bomb = zipSync({ 'index.js': new Uint8Array(200_000) })
  expect(bomb.length).toBeLessThan(1000)
  const answers = await Promise.all([
    put(gateway, 'a', 'text/javascript', Buffer.alloc(2_000_000)),
    put(gateway, 'b', 'application/zip', Buffer.from(bomb)),
    put(gateway, 'c', 'application/gzip', gzipSync(Buffer.alloc(64 * 1024 * 1024))),
    put(gateway, 'd', '', form),
  ])
  for (const answer of answers) {
    expect(answer.status).toBe(413)
    expect(await answer.json()).toMatchObject({ code: 'payload-too-large', limit: 100_000 })
  }
})

test('a build error is a 422 with the place', async () => {
  await using gateway = await startGateway()
  const diagnostic = { message: 'Unexpected "}"', file: 'index.js', line: 3, column: 7, excerpt: '  }}' }
  gateway.builder.script = async () => {
    throw buildFailed([diagnostic])
  }
  const response = await put(gateway, 'up', 'text/javascript', CODE)
  expect(response.status).toBe(422)
  expect(await response.json()).toMatchObject({ code: 'build-failed', diagnostics: [diagnostic] })
  expect((await fetch(`${gateway.url}/fn/up`)).status).toBe(404)
})

async function linesOf(response: Response): Promise<Record<string, unknown>[]> {
  return (await response.text())
    .split('\n')
    .filter(Boolean)
    .map((line) => JSON.parse(line) as Record<string, unknown>)
}

async function* restOf(reader: ReadableStreamDefaultReader<Uint8Array>): AsyncGenerator<string> {
  for (let step = await reader.read(); !step.done; step = await reader.read()) yield Buffer.from(step.value).toString()
}

test('progress comes line by line when it is asked for', async () => {
  await using gateway = await startGateway()
  const goOn = Promise.withResolvers<void>()
  gateway.builder.script = async (draft, onProgress) => {
    onProgress({ step: 'bundle', message: 'bundling' })
    await goOn.promise
    return { artifact: draft.source, toolchain: 't' }
  }
  const headers = { ...AUTH, 'content-type': 'text/javascript', accept: 'application/x-ndjson' }
  const response = await fetch(`${gateway.url}/v1/functions/up`, { method: 'PUT', headers, body: CODE })
  const reader = (response.body as ReadableStream<Uint8Array>).getReader()
  const first = Buffer.from((await reader.read()).value as Uint8Array).toString()
  expect(JSON.parse(first)).toEqual({ type: 'progress', step: 'bundle', message: 'bundling' })
  goOn.resolve()
  const rest = await Array.fromAsync(restOf(reader))
  expect(JSON.parse(rest.join('').trim().split('\n').at(-1) ?? '')).toMatchObject({
    type: 'result',
    function: 'up',
    version: 1,
    created: true,
  })
})

test('a build error comes as the last line of the progress', async () => {
  await using gateway = await startGateway()
  gateway.builder.script = async () => {
    throw buildFailed([{ message: 'no' }])
  }
  const headers = { ...AUTH, 'content-type': 'text/javascript', accept: 'application/x-ndjson' }
  const response = await fetch(`${gateway.url}/v1/functions/up`, { method: 'PUT', headers, body: CODE })
  expect(response.status).toBe(200)
  expect(await linesOf(response)).toMatchObject([{ type: 'error', problem: { code: 'build-failed', status: 422 } }])
})

test('a client that goes away ends the build', async () => {
  await using gateway = await startGateway()
  const aborted = Promise.withResolvers<void>()
  gateway.builder.script = (_draft, _onProgress, signal) =>
    new Promise((_, reject) => {
      signal.addEventListener('abort', () => {
        aborted.resolve()
        reject(signal.reason as Error)
      })
    })
  const leaving = new AbortController()
  const headers = { ...AUTH, 'content-type': 'text/javascript' }
  const init = { method: 'PUT', headers, body: CODE, signal: leaving.signal }
  const gone = expect(fetch(`${gateway.url}/v1/functions/up`, init)).rejects.toThrow()
  await until(() => gateway.builder.builds === 1)
  leaving.abort()
  await gone
  await aborted.promise
  expect(gateway.functions.records.size).toBe(0)
})

test('deploys of one function take turns, those of others do not wait', async () => {
  await using gateway = await startGateway()
  const started: string[] = []
  const goOn = Promise.withResolvers<void>()
  gateway.builder.script = async ({ name, source, spec }) => {
    started.push(`${name} ${spec.timeoutMs}`)
    if (spec.timeoutMs === 11) await goOn.promise
    return { artifact: source, toolchain: 't' }
  }
  const first = put(gateway, 'up?timeoutMs=11', 'text/javascript', CODE)
  await until(() => started.length === 1)
  const second = put(gateway, 'up?timeoutMs=12', 'text/javascript', CODE)
  await put(gateway, 'other?timeoutMs=13', 'text/javascript', CODE)
  expect(started).toEqual(['up 11', 'other 13'])
  goOn.resolve()
  const versions = await Promise.all([first, second].map(async (response) => (await response).json()))
  expect(versions).toMatchObject([{ version: 1 }, { version: 2 }])
})

test('a deploy needs the token', async () => {
  await using gateway = await startGateway()
  const init = { method: 'PUT', headers: { 'content-type': 'text/javascript' }, body: CODE }
  const response = await fetch(`${gateway.url}/v1/functions/up`, init)
  expect(response.status).toBe(401)
  expect(await response.json()).toMatchObject({ code: 'unauthorized' })
  expect(gateway.builder.builds).toBe(0)
})
