import { parse } from '@bytecodealliance/jco-transpile/wasm-tools'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'

import { createWasmBuilder, type WasmBuilder } from '#invoker/sandbox/wasm/build/builder'
import { tempDir, type TempDir } from '#test/temp-dir'

import { buildQuietly, draftOf, manifestOf, refusalOf, uploadOf } from './drafts.ts'
import { memoryMaximaMiB } from './maxima.ts'

const SPEC = { runtime: 'wasm', memoryMiB: 32 }
const COMMAND = `(module
  (import "wasi_snapshot_preview1" "proc_exit" (func $exit (param i32)))
  (memory (export "memory") 1)
  (table 2 funcref)
  (func (export "_start") (call $exit (i32.const 0))))`

const EVIL = `(component
  (import "evil:host/shell@1.0.0" (instance $shell (export "run" (func))))
  (core module $m (import "x" "run" (func $run)) (func (export "go") (call $run)))
  (core func $run (canon lower (func $shell "run")))
  (core instance $i (instantiate $m (with "x" (instance (export "run" (func $run))))))
  (func (export "go") (canon lift (core func $i "go"))))`

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

async function refusal(wat: string): Promise<string> {
  return (await refusalOf(builder, draftOf({ 'main.wasm': await parse(wat) }, SPEC))).message
}

describe('createWasmBuilder(), wasm', () => {
  it('translates a component that exports wasi:http/incoming-handler', async () => {
    const { artifact, toolchain } = await buildQuietly(builder, draftOf(await uploadOf('functions/hello-wasm'), SPEC))
    const manifest = manifestOf(artifact)
    expect(manifest).toMatchObject({ world: 'wasi-http', engine: 'none', resettable: false, async: true })
    expect(manifest.export).toBe('wasi:http/incoming-handler@0.2.0')
    const maxima = Object.values(manifest.cores).flatMap((path) => memoryMaximaMiB(artifact.get(path) as Uint8Array))
    expect(maxima).toEqual([32])
    expect(toolchain).not.toContain('esbuild')
  })

  it('reads from a component how it comes together, so that it needs no glue', async () => {
    const { artifact } = await buildQuietly(builder, draftOf(await uploadOf('functions/hello-wasm'), SPEC))
    const manifest = manifestOf(artifact)
    expect(manifest).toMatchObject({ glue: '', plan: 'plan.json' })
    expect([...artifact.keys()].filter((path) => !path.startsWith('cores/'))).toEqual(['plan.json', 'manifest.json'])
  })

  it('takes a preview-1 command as it is, but for its limits', async () => {
    const { artifact } = await buildQuietly(builder, draftOf({ 'main.wasm': await parse(COMMAND) }, SPEC))
    const manifest = manifestOf(artifact)
    expect(manifest).toMatchObject({ world: 'command', glue: '', export: '_start', async: false })
    const core = artifact.get(manifest.cores.main as string) as Uint8Array<ArrayBuffer>
    expect(WebAssembly.validate(core)).toBe(true)
    expect(memoryMaximaMiB(core)).toEqual([32])
  })

  it.each([
    ['imports of other hosts', COMMAND.replace('wasi_snapshot_preview1', 'env'), /imports env$/],
    [
      'an imported memory',
      '(module (import "wasi_snapshot_preview1" "m" (memory 1)) (func (export "_start")))',
      /wasi_snapshot_preview1.m is a memory/,
    ],
    [
      'a library without _start',
      '(module (memory (export "memory") 1))',
      /must be a WASI preview-1 command.*exports memory$/,
    ],
    [
      'a command without its memory',
      '(module (func (export "_start")))',
      /exports _start and memory: this one exports _start$/,
    ],
    [
      'more memory than the limit',
      COMMAND.replace('"memory") 1', '"memory") 513'),
      /at most memoryMiB = 32: the module asks for 33 MiB/,
    ],
    ['shared memory', COMMAND.replace('"memory") 1', '"memory") 1 2 shared'), /a memory that threads share/],
    ['64-bit memory', COMMAND.replace('"memory") 1', '"memory") i64 1'), /a 64-bit memory/],
    ['a table beyond reason', COMMAND.replace('(table 2 ', '(table 2000000 '), /a table of 2000000 elements/],
    [
      'many memories',
      COMMAND.replace('(table', '(memory 1) (memory 1) (memory 1) (memory 1) (table'),
      /at most 4 memories/,
    ],
    [
      'a component of another world',
      '(component)',
      /must export wasi:http\/incoming-handler@0.2.x: this one exports nothing/,
    ],
    ['a component with other imports', EVIL, /imports evil:host\/shell/],
  ])('refuses %s', async (_what, wat, message) => {
    expect(await refusal(wat)).toMatch(message)
  })

  it.each([
    ['what is no WebAssembly', { 'main.wasm': 'hello' }, /main.wasm is not WebAssembly: it begins with 68 65 6c 6c 6f/],
    [
      'a module that ends too early',
      { 'main.wasm': Uint8Array.of(0, 97, 115, 109, 1, 0, 0, 0, 5, 99) },
      /is not valid WebAssembly: the binary ends too early/,
    ],
    ['an upload without a module', { 'readme.txt': '' }, /the upload has none/],
    ['an upload with two modules', { 'a.wasm': '', 'b.wasm': '' }, /the upload has a.wasm, b.wasm/],
  ])('refuses %s', async (_what, files, message) => {
    expect((await refusalOf(builder, draftOf(files as Record<string, string>, SPEC))).message).toMatch(message)
  })

  it('refuses a module whose code is not valid', async () => {
    const wat = '(module (memory (export "memory") 1) (func (export "_start") (i32.const 0)))'
    expect(await refusal(wat)).toMatch(/main is not valid WebAssembly/)
  })

  it('refuses more than 100 MB', async () => {
    const bytes = new Uint8Array(100 * 1024 * 1024 + 1)
    expect((await refusalOf(builder, draftOf({ 'main.wasm': bytes }, SPEC))).message).toMatch(/at most 104857600 bytes/)
  })
})
