// The builder with real containers: what a user with a mistake in their code is told.
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

import { afterAll, expect, test } from 'vitest'

import type { Builder, BuildOutput } from '#core/build'
import { systemClock } from '#core/clock'
import { parseFunctionName } from '#core/ids'
import { parseSpec } from '#core/spec'
import { ArtifactCache } from '#invoker/artifacts'
import { createBuilder } from '#invoker/build/builder'
import { dockerIsOff, notRun, openTestDocker } from '#test/invoker/sandbox/docker/daemon'

const off = await dockerIsOff()
if (off === undefined) trials(await openTestDocker())
else notRun('trials in containers', off)

function trials(docker: Awaited<ReturnType<typeof openTestDocker>>): void {
  const opened = open(docker)
  afterAll(async () => {
    await (await opened).close()
    await docker[Symbol.asyncDispose]()
  })

  const build = async (runtime: 'node' | 'python', files: Readonly<Record<string, string>>): Promise<BuildOutput> => {
    const source = new Map(Object.entries(files).map(([path, text]) => [path, Buffer.from(text)]))
    const draft = { name: parseFunctionName('trial'), spec: parseSpec({ runtime }, runtime), source }
    return (await opened).builder.build(draft, () => {}, new AbortController().signal)
  }

  test('TypeScript with imports of both kinds loads', async () => {
    const files = {
      'index.ts':
        "import { a } from './a.ts'\nimport { b } from './b.js'\nexport default { fetch: (): Response => new Response(a + b) }",
      'a.ts': "export const a: string = 'a'",
      'b.ts': "export const b: string = 'b'",
    }
    expect([...(await build('node', files)).artifact.keys()]).toEqual(['code.pack'])
  })

  test('a Python syntax error is told with its line', async () => {
    await expect(build('python', { 'main.py': 'def handler(event, context):\n    return (\n' })).rejects.toMatchObject({
      code: 'build-failed',
      members: { diagnostics: [{ message: expect.stringContaining('SyntaxError'), file: 'main.py', line: 2 }] },
    })
  })

  test('a missing package is told where it is imported', async () => {
    await expect(build('node', { 'index.mjs': "\nimport 'not-there'\nexport default () => {}" })).rejects.toMatchObject(
      {
        code: 'build-failed',
        members: { diagnostics: [{ message: expect.stringContaining('not-there') }] },
      },
    )
  })

  test('code without a handler is refused', async () => {
    await expect(build('python', { 'main.py': 'x = 1\n' })).rejects.toMatchObject({
      code: 'build-failed',
      message: expect.stringContaining('main must define a callable handler or app'),
    })
  })
}

async function open(
  docker: Awaited<ReturnType<typeof openTestDocker>>,
): Promise<{ builder: Builder; close: () => Promise<void> }> {
  const dir = await mkdtemp(join(tmpdir(), 'hearth-trial-'))
  const driver = await docker.makeDriver()
  const artifacts = new ArtifactCache({
    dir,
    blobs: { get: refuse, putAll: refuse },
    maxBytes: 1 << 24,
    clock: systemClock,
  })
  return {
    builder: createBuilder({ wasm: { build: refuse }, drivers: [driver], absent: [], artifacts, clock: systemClock }),
    close: async () => {
      await driver[Symbol.asyncDispose]()
      await rm(dir, { recursive: true })
    },
  }
}

function refuse(): Promise<never> {
  return Promise.reject(new Error('not of use here'))
}
