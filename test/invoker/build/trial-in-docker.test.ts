// The builder with real containers: what a user with a mistake in their code is told.
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

import { afterAll, expect, test } from 'vitest'

import type { FileSet } from '#core/artifact'
import type { Builder, BuildOutput } from '#core/build'
import { systemClock } from '#core/clock'
import { parseFunctionName } from '#core/ids'
import { PACK_PATH, packFiles, unpackFiles } from '#core/pack'
import { parseSpec } from '#core/spec'
import { ArtifactCache } from '#invoker/artifacts'
import { createBuilder } from '#invoker/build/builder'
import type { SandboxDriver } from '#invoker/sandbox/driver'
import { dockerIsOff, notRun, openTestDocker } from '#test/invoker/sandbox/docker/daemon'
import { RunningFunction } from '#test/invoker/sandbox/docker/running-function'

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

  const built = async (
    runtime: 'node' | 'python',
    files: Readonly<Record<string, string>>,
  ): Promise<Map<string, Uint8Array>> => unpackFiles((await build(runtime, files)).artifact.get(PACK_PATH)!)

  const answerOf = async (runtime: 'node' | 'python', files: FileSet): Promise<string> => {
    const { driver } = await opened
    await using running = await RunningFunction.start(driver, runtime, { [PACK_PATH]: packFiles(files) })
    return (await running.call()).text
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

  test('Python code is shipped compiled, and Python takes the compiled code', async () => {
    const files = await built('python', {
      'main.py': 'import lib.deep\ndef handler(event, context):\n    return lib.deep.VALUE + " compiled"\n',
      'lib/deep.py': 'VALUE = "deep"\n',
      'lib/not_to_be_imported.py': 'print "Python 2"\n',
    })
    const compiled = [...files.keys()].filter((path) => path.endsWith('.pyc')).toSorted()
    expect(compiled).toEqual([
      expect.stringMatching(/^__pycache__\/main\.cpython-3\d+\.pyc$/),
      expect.stringMatching(/^lib\/__pycache__\/deep\./),
    ])
    // Were the source read, it would say so.
    files.set('main.py', Buffer.from('handler = lambda event, context: "read"\n'))
    expect(await answerOf('python', files)).toBe('deep compiled')
    for (const path of compiled) files.set(path, Buffer.concat([Buffer.from('\0\0\r\n'), files.get(path)!.subarray(4)]))
    expect(await answerOf('python', files)).toBe('read')
  })

  test.each(['mjs', 'cjs'])(
    'JavaScript is shipped compiled, and V8 takes the compiled code: .%s',
    async (extension) => {
      const body = `() => {
      const dir = module_.getCompileCacheDir()
      const look = () => fs.readdirSync(dir).map((name) => [name, fs.statSync(dir + '/' + name).ino])
      const before = look()
      module_.flushCompileCache()
      const now = new Map(look())
      // What was refused is written anew.
      return before.map(([name, inode]) => now.get(name) === inode ? 'taken' : 'refused').join(' ')
    }`
      const source =
        extension === 'mjs'
          ? `import fs from 'node:fs'\nimport module_ from 'node:module'\nimport './other.mjs'\nexport const handler = ${body}`
          : `const fs = require('node:fs')\nconst module_ = require('node:module')\nrequire('./other.cjs')\nexports.handler = ${body}`
      const files = await built('node', {
        [`index.${extension}`]: source,
        [`other.${extension}`]: 'globalThis.x = () => 1',
      })
      const compiled = [...files.keys()].filter((path) => path.startsWith('.hearth/compiled/'))
      expect(compiled).toHaveLength(2)
      expect(await answerOf('node', files)).toBe('taken taken')
      for (const path of compiled)
        files.set(path, Buffer.concat([files.get(path)!.subarray(0, -8), Buffer.alloc(8, 1)]))
      expect(await answerOf('node', files)).toBe('refused refused')
    },
  )

  test('code without a handler is refused', async () => {
    await expect(build('python', { 'main.py': 'x = 1\n' })).rejects.toMatchObject({
      code: 'build-failed',
      message: expect.stringContaining('main must define a callable handler or app'),
    })
  })
}

async function open(
  docker: Awaited<ReturnType<typeof openTestDocker>>,
): Promise<{ builder: Builder; driver: SandboxDriver; close: () => Promise<void> }> {
  const dir = await mkdtemp(join(tmpdir(), 'hearth-trial-'))
  const driver = await docker.makeDriver()
  const artifacts = new ArtifactCache({
    dir,
    blobs: { get: refuse, putAll: refuse },
    maxBytes: 1 << 24,
    clock: systemClock,
  })
  return {
    driver,
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
