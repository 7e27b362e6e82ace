import { readdir, readlink } from 'node:fs/promises'
import { join } from 'node:path'

import { afterAll, beforeAll, describe, expect, it } from 'vitest'

import { createWasmBuilder, type WasmBuilder } from '#invoker/sandbox/wasm/build/builder'
import { tempDir, type TempDir } from '#test/temp-dir'

import { buildQuietly, draftOf, honoUpload, manifestOf, refusalOf, uploadOf } from './drafts.ts'
import { memoryMaximaMiB } from './maxima.ts'

const BUILD_MS = 60_000
const HELLO = 'export default { fetch: () => new Response("hello") }'

let cache: TempDir
let builder: WasmBuilder

beforeAll(async () => {
  cache = await tempDir()
  builder = createWasmBuilder({ cacheDir: cache.path })
})

afterAll(async () => {
  await builder[Symbol.asyncDispose]()
  await cache[Symbol.asyncDispose]()
})

describe('createWasmBuilder(), js', () => {
  it(
    'builds a component whose memories end at memoryMiB, and the same bytes at once when asked again',
    async () => {
      const draft = draftOf(await uploadOf('functions/hello-js'), { memoryMiB: 48 })
      const steps: string[] = []
      const first = await builder.build(draft, ({ step }) => steps.push(step), new AbortController().signal)
      expect(steps).toEqual(['bundle', 'componentize', 'transpile'])
      expect(manifestOf(first.artifact)).toMatchObject({
        world: 'function',
        engine: 'quickjs',
        glue: '',
        resettable: true,
        async: true,
        export: 'handle',
      })
      expect(Object.keys(manifestOf(first.artifact).cores)).toEqual([
        'main',
        'adapter',
        'engine',
        'types',
        'table',
        'start',
      ])
      for (const path of Object.values(manifestOf(first.artifact).cores)) {
        const core = first.artifact.get(path) as Uint8Array<ArrayBuffer>
        expect(WebAssembly.validate(core), path).toBe(true)
        for (const maximum of memoryMaximaMiB(core)) expect(maximum).toBeLessThanOrEqual(48)
      }
      steps.length = 0
      const second = await builder.build(draft, ({ step }) => steps.push(step), new AbortController().signal)
      expect(steps).toEqual(['cache'])
      expect(second).toEqual(first)
      expect(first.toolchain).toMatch(
        /^hearth-wasm \d+, esbuild [\d.]+, jco-transpile [\d.]+, componentize-qjs [\d.]+, js [\da-f]{12}$/,
      )
    },
    BUILD_MS,
  )

  it(
    'builds an unmodified Hono app, and shares the engine with other functions',
    async () => {
      const hono = await buildQuietly(builder, draftOf(await honoUpload()))
      const plain = await buildQuietly(builder, draftOf({ 'index.js': HELLO }))
      const cores = (output: typeof hono): string[] => Object.values(manifestOf(output.artifact).cores)
      const shared = cores(hono).filter((path) => cores(plain).includes(path))
      const sizes = shared.map((path) => hono.artifact.get(path)?.length ?? 0)
      expect(Math.max(...sizes)).toBeGreaterThan(1_000_000)
    },
    BUILD_MS,
  )

  it.each([
    ['a handler by name', { 'lib/api.ts': 'export const hi = () => "x"' }, { handler: 'lib/api.hi' }],
    ['CommonJS', { 'index.js': 'module.exports = { handler: () => 1 }' }, {}],
    [
      'JSX',
      {
        'index.jsx': 'const h = (t) => t; export default () => new Response(<b />)',
        'tsconfig.json': '{"compilerOptions":{"jsx":"react","jsxFactory":"h"}}',
      },
      {},
    ],
    [
      'JSON, and what packages ask of Node',
      {
        'index.js':
          'if (process.env.NODE_ENV !== "production" || global !== globalThis) throw 1; import d from "./d.json"; export default () => Response.json(d)',
        'd.json': '{"a":1}',
      },
      {},
    ],
  ])(
    'takes %s',
    async (_what, files, spec) => {
      expect(manifestOf((await buildQuietly(builder, draftOf(files, spec))).artifact).world).toBe('function')
    },
    BUILD_MS,
  )

  it.each([
    [
      'a syntax error',
      'export default {\n  fetch( }',
      { message: 'Expected identifier but found "}"', file: 'index.ts', line: 2, column: 10, excerpt: '  fetch( }' },
    ],
    [
      'a package that is not there',
      'import "left-pad"; export default 1',
      { message: expect.stringContaining('npm install left-pad'), line: 1 },
    ],
    ['a module of Node', 'import "node:fs"; export default 1', { message: expect.stringContaining('runtime "node"') }],
    [
      'a file of the machine',
      'import "/etc/hostname"; export default 1',
      { message: expect.stringContaining('lies outside the upload') },
    ],
    [
      'a path that leads out',
      'import "../../../../../etc/hostname"; export default 1',
      { message: expect.stringContaining('outside the upload') },
    ],
    [
      'a URL',
      'import "https://example.com/x.js"; export default 1',
      { message: expect.stringContaining('only uploaded files') },
    ],
    [
      'the host interface',
      'import h from "hearth:js/host@0.1.0"; export default () => h',
      { message: expect.stringContaining('only uploaded files') },
    ],
  ])(
    'refuses %s',
    async (_what, code, expected) => {
      expect(await refusalOf(builder, draftOf({ 'index.ts': code }))).toMatchObject(expected)
    },
    BUILD_MS,
  )

  it.each([
    [
      'throws',
      'const a: number = 1\n\nfunction f() {\n  throw new TypeError("boo " + a)\n}\nf()\nexport default 1',
      {
        message: 'the top level of the module throws: boo 1',
        file: 'index.ts',
        line: 4,
        excerpt: '  throw new TypeError("boo " + a)',
      },
    ],
    [
      'exports no handler',
      'export const other = 1',
      { message: 'the module must export default a fetch handler, or a function named handler: it exports other' },
    ],
    [
      'imports by a computed name',
      'const p = "/etc/hostname"\nawait import(p)',
      { message: 'a module cannot be imported by a computed name: received "/etc/hostname"' },
    ],
    [
      'asks for entropy',
      'crypto.randomUUID()\nexport default 1',
      { message: expect.stringContaining('use it inside the handler'), line: 1 },
    ],
    [
      'fetches',
      'await fetch("http://a/")\nexport default 1',
      { message: expect.stringContaining('use it inside the handler') },
    ],
    [
      'never ends',
      'await new Promise(() => {})\nexport default 1',
      { message: expect.stringContaining('awaits what never happens') },
    ],
  ])(
    'refuses a top level that %s',
    async (_what, code, expected) => {
      expect(await refusalOf(builder, draftOf({ 'index.ts': code }))).toMatchObject(expected)
    },
    BUILD_MS,
  )

  it('refuses an upload without an entry, naming what it has', async () => {
    const { message } = await refusalOf(builder, draftOf({ 'a.js': '', 'b.js': '', 'c.txt': '' }))
    expect(message).toMatch(/expected index.ts.*the upload has a.js, b.js, c.txt$/)
  })

  it(
    'does not let tsconfig.json or a source map read files of the machine',
    async () => {
      const tsconfig = '{"extends": "/etc/passwd", "compilerOptions": {"strict": true}}'
      const code = `${HELLO}\n//# sourceMappingURL=/etc/passwd`
      const { artifact } = await buildQuietly(builder, draftOf({ 'index.ts': code, 'tsconfig.json': tsconfig }))
      for (const bytes of artifact.values()) expect(Buffer.from(bytes).includes('root:x:0:0')).toBe(false)
    },
    BUILD_MS,
  )
})

describe('createWasmBuilder(), hostile top levels', () => {
  const before = process.env.TMPDIR

  // Builds of others on this machine must not count as left over.
  beforeAll(() => {
    process.env.TMPDIR = cache.path
  })

  afterAll(() => {
    if (before === undefined) delete process.env.TMPDIR
    else process.env.TMPDIR = before
  })

  it(
    'stops a loop, and leaves no process and no directory',
    async () => {
      const impatient = createWasmBuilder({ cacheDir: cache.path, limits: { timeoutMs: 6000, memoryMiB: 1536 } })
      const { message } = await refusalOf(impatient, draftOf({ 'index.js': 'for (;;);' }))
      expect(message).toMatch(/^the build took longer than 6 s and was stopped/)
      expect(await leftovers()).toEqual([])
    },
    BUILD_MS,
  )

  it(
    'stops one that eats memory',
    async () => {
      const small = createWasmBuilder({ cacheDir: cache.path, limits: { timeoutMs: 50_000, memoryMiB: 600 } })
      const code = 'const kept = []; for (;;) kept.push(new Uint8Array(1 << 20).fill(1))'
      const { message } = await refusalOf(small, draftOf({ 'index.js': code }))
      expect(message).toMatch(/^the build used more than 600 MiB of memory and was stopped/)
      expect(await leftovers()).toEqual([])
    },
    BUILD_MS,
  )

  it(
    'stops when the signal aborts, and when the builder is disposed of',
    async () => {
      const controller = new AbortController()
      const loop = draftOf({ 'index.js': 'for (;;);/* abort */' })
      const aborted = builder.build(
        loop,
        ({ step }) => step === 'componentize' && controller.abort('enough'),
        controller.signal,
      )
      await expect(aborted).rejects.toBe('enough')
      const other = createWasmBuilder({ cacheDir: cache.path })
      const started = Promise.withResolvers<void>()
      const disposed = other.build(loop, () => started.resolve(), new AbortController().signal)
      const expectation = expect(disposed).rejects.toThrow('the builder was disposed of')
      await started.promise
      await other[Symbol.asyncDispose]()
      await expectation
      expect(await leftovers()).toEqual([])
    },
    BUILD_MS,
  )
})

/** Directories and processes of builds below the test's own directory. */
async function leftovers(): Promise<string[]> {
  const dirs = (await readdir(cache.path)).filter((name) => name.startsWith('hearth-build-'))
  const pids = (await readdir('/proc')).filter((name) => /^\d+$/.test(name))
  const cwds = await Promise.all(pids.map((pid) => readlink(join('/proc', pid, 'cwd')).catch(() => '')))
  return [...dirs, ...cwds.filter((cwd) => cwd.startsWith(join(cache.path, 'hearth-build-')))]
}
