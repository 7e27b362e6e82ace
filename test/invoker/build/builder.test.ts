import { mkdtemp, readdir, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

import { afterEach, beforeEach, describe, expect, test } from 'vitest'

import type { Builder, Draft } from '#core/build'
import { systemClock } from '#core/clock'
import { PlatformError } from '#core/errors'
import { parseFunctionName } from '#core/ids'
import { unpackFiles } from '#core/pack'
import { parseSpec } from '#core/spec'
import { ArtifactCache } from '#invoker/artifacts'
import { createBuilder } from '#invoker/build/builder'
import { FakeDriver } from '#invoker/sandbox/fake/driver'
import { behave } from '#test/contract/fixtures/fake'

const never = new AbortController().signal
let dir: string
let driver: FakeDriver
let steps: string[]

beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'hearth-build-'))
  driver = new FakeDriver({ programOf: () => behave })
  steps = []
})

afterEach(() => rm(dir, { recursive: true }))

function builder(
  wasm: Pick<Builder, 'build'> = { build: () => Promise.reject(new Error('not of use here')) },
): Builder {
  const blobs = {
    get: () => Promise.reject(new Error('nothing is stored while it is built')),
    putAll: () => Promise.reject(new Error('nothing is stored while it is built')),
  }
  const artifacts = new ArtifactCache({ dir, blobs, maxBytes: 1 << 20, clock: systemClock })
  const absent = [{ name: 'wasm', runtimes: ['wasm'], reason: 'off for the test' }] as const
  return createBuilder({ wasm, drivers: [driver], absent, artifacts, clock: systemClock })
}

function draft(runtime: 'js' | 'wasm' | 'node' | 'python', files: Readonly<Record<string, string>>): Draft {
  const source = new Map(Object.entries(files).map(([path, text]) => [path, Buffer.from(text)]))
  return { name: parseFunctionName('built'), spec: parseSpec({ runtime }, runtime), source }
}

async function build(
  runtime: 'node' | 'python',
  files: Readonly<Record<string, string>>,
): Promise<Record<string, string>> {
  const { artifact } = await builder().build(draft(runtime, files), ({ step }) => steps.push(step), never)
  expect([...artifact.keys()]).toEqual(['code.pack'])
  const unpacked = unpackFiles(artifact.get('code.pack') ?? new Uint8Array())
  return Object.fromEntries([...unpacked].map(([path, bytes]) => [path, Buffer.from(bytes).toString()]))
}

async function diagnosticsOf(runtime: 'node' | 'python', files: Readonly<Record<string, string>>): Promise<unknown> {
  const error: unknown = await build(runtime, files).catch((thrown: unknown) => thrown)
  expect(error).toMatchObject({ code: 'build-failed', status: 422 })
  return error instanceof PlatformError ? error.members.diagnostics : undefined
}

describe('a node build', () => {
  test('leaves JavaScript and packages as they are, in the order of their paths', async () => {
    const files = { 'node_modules/p/index.js': 'let x = (', 'index.mjs': 'export default 1;;', 'data.json': '{}' }
    expect(Object.entries(await build('node', files))).toEqual([
      ['data.json', '{}'],
      ['index.mjs', 'export default 1;;'],
      ['node_modules/p/index.js', 'let x = ('],
    ])
    expect(steps).toEqual(['transform', 'check'])
  })

  test('removes types and compiles what Node alone would refuse, in place', async () => {
    const built = await build('node', {
      'index.ts': 'namespace Color { export const Red = 3 }\nexport default (): number => Color.Red',
    })
    const code = built['index.ts'] ?? ''
    expect(code).not.toContain(': number')
    expect(code).toContain('Color')
    const module = (await import(`data:text/javascript,${encodeURIComponent(code)}`)) as { default: () => number }
    expect(module.default()).toBe(3)
  })

  test('makes JSX to a .js that can be imported', async () => {
    const source = '/** @jsx h */ const h = (name: string) => name; export default <b/>'
    const built = await build('node', { 'index.js': "import './view.js'", 'view.tsx': source })
    expect(Object.keys(built)).toEqual(['index.js', 'view.js'])
    expect(built['view.js']).toContain('h("b"')
  })

  test('gives a TypeScript file the name by which TypeScript imports it', async () => {
    const files = {
      'index.ts': "import { a } from './lib/util.js'\nexport default a",
      'lib/util.ts': 'export const a: number = 1',
    }
    expect(Object.keys(await build('node', files))).toEqual(['index.ts', 'lib/util.js', 'lib/util.ts'])
  })

  test('says where the syntax is wrong, for every file', async () => {
    const diagnostics = await diagnosticsOf('node', {
      'index.js': 'const a = 1\nconst = 2\n',
      'lib/b.ts': 'let x: = 1',
    })
    expect(diagnostics).toEqual([
      expect.objectContaining({ file: 'index.js', line: 2, column: 7, excerpt: 'const = 2' }),
      expect.objectContaining({ file: 'lib/b.ts', line: 1 }),
    ])
    expect(driver.created).toBe(0)
  })

  test('wants code', async () => {
    expect(await diagnosticsOf('node', { 'readme.md': '' })).toEqual([
      { message: expect.stringContaining('the upload has readme.md') },
    ])
  })

  test('gives the same bytes for the same files in another order', async () => {
    const one = await builder().build(draft('node', { 'a.js': '1', 'b.js': '2' }), () => {}, never)
    const other = await builder().build(draft('node', { 'b.js': '2', 'a.js': '1' }), () => {}, never)
    expect(one.artifact.get('code.pack')).toEqual(other.artifact.get('code.pack'))
  })
})

describe('the trial', () => {
  test('loads the artifact in a sandbox and leaves none behind', async () => {
    const loaded: string[][] = []
    driver = new FakeDriver({
      programOf: (code) => {
        loaded.push(code.files.map(({ path }) => path))
        return behave
      },
    })
    await build('python', { 'main.py': 'x = 1' })
    expect(loaded).toEqual([['code.pack']])
    expect(driver.created).toBe(1)
    expect(driver.sandboxes.size).toBe(0)
    expect(await readdir(dir)).toEqual([expect.stringMatching(/\.pack$/)])
  })

  test('that fails says what the code threw', async () => {
    driver = new FakeDriver({
      programOf: () => {
        throw new SyntaxError('invalid syntax (main.py, line 3)')
      },
    })
    expect(await diagnosticsOf('python', { 'main.py': 'def' })).toEqual([
      { message: 'the code could not be loaded: SyntaxError: invalid syntax (main.py, line 3)' },
    ])
    expect(driver.sandboxes.size).toBe(0)
  })

  test('that ends its sandbox says so', async () => {
    driver.script.onLoad = 'exit'
    expect(await diagnosticsOf('python', { 'main.py': 'exit(7)' })).toEqual([
      { message: 'the top-level code ended its sandbox: exit code 7' },
    ])
  })
})

test('js and wasm are built by the Wasm builder, and tried as well', async () => {
  const artifact = new Map([['manifest.json', Buffer.from('{}')]])
  const built = await builder({ build: async () => ({ artifact, toolchain: 'fake 1' }) }).build(
    draft('js', { 'index.js': '' }),
    () => {},
    never,
  )
  expect(built).toEqual({ artifact, toolchain: 'fake 1' })
  expect(driver.created).toBe(1)
})

test('a runtime whose driver is off is refused before anything is built', async () => {
  Object.assign(driver.capabilities, { runtimes: ['node'] })
  await expect(builder().build(draft('wasm', {}), () => {}, never)).rejects.toMatchObject({
    code: 'driver-unavailable',
    message: 'the runtime wasm needs the wasm driver: off for the test',
  })
})

test('builds run two at a time', async () => {
  let running = 0
  let peak = 0
  const slow = builder({
    build: async () => {
      running += 1
      peak = Math.max(peak, running)
      await new Promise((resolve) => setTimeout(resolve, 5))
      running -= 1
      return { artifact: new Map(), toolchain: '' }
    },
  })
  await Promise.all(Array.from({ length: 6 }, () => slow.build(draft('js', {}), () => {}, never)))
  expect(peak).toBe(2)
})
