import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

import { afterAll } from 'vitest'

import type { FileSet } from '#core/artifact'
import type { RuntimeName } from '#core/function'
import { parseFunctionName } from '#core/ids'
import { parseSpec } from '#core/spec'
import { createWasmBuilder } from '#invoker/sandbox/wasm/build/builder'
import { createWasmDriver } from '#invoker/sandbox/wasm/driver'

import { assemble, assembleComponent } from '#test/invoker/sandbox/wasm/sandboxes'

import { describeSandboxDriver, PAUSE_TESTS } from './sandbox-driver.ts'
import type { Fixture } from './world.ts'

const builds = new Map<string, Promise<FileSet>>()
const cacheDir = await mkdtemp(join(tmpdir(), 'hearth-wasm-'))

afterAll(() => rm(cacheDir, { recursive: true }))

/** Built once: the fixtures of all policies share it. */
function built(runtime: RuntimeName, path: string): Promise<FileSet> {
  const build = builds.get(path) ?? buildFixture(runtime, path)
  builds.set(path, build)
  return build
}

async function buildFixture(runtime: RuntimeName, path: string): Promise<FileSet> {
  await using builder = createWasmBuilder({ cacheDir })
  const draft = {
    name: parseFunctionName('contract'),
    spec: parseSpec({ runtime }, runtime),
    source: await sourceOf(path),
  }
  return (await builder.build(draft, () => {}, new AbortController().signal)).artifact
}

function read(path: string): Promise<string> {
  return readFile(new URL(`fixtures/${path}`, import.meta.url), 'utf8')
}

async function sourceOf(path: string): Promise<FileSet> {
  switch (path) {
    case 'wasm-command/main.as':
      return new Map([['main.wasm', await assemble(await read(path))]])
    case 'wasm-component/handler.as': {
      const wit = await read('wasm-component/world.wit')
      return new Map([['main.wasm', await assembleComponent(await read(path), wit, 'contract')]])
    }
    default:
      return new Map([['index.js', Buffer.from(await read(path))]])
  }
}

const js: readonly Fixture[] = (['reset', 'fresh', 'warm'] as const).map((instances) => ({
  name: `js-${instances}`,
  spec: { runtime: 'js', instances },
  artifact: () => built('js', 'js/index.js'),
}))

const command: Fixture = {
  name: 'wasm-command',
  spec: { runtime: 'wasm', concurrency: 8 },
  artifact: () => built('wasm', 'wasm-command/main.as'),
}

const components: readonly Fixture[] = (['fresh', 'warm'] as const).map((instances) => ({
  name: `wasm-component-${instances}`,
  spec: { runtime: 'wasm', instances, concurrency: 8 },
  artifact: () => built('wasm', 'wasm-component/handler.as'),
}))

describeSandboxDriver({
  name: 'wasm',
  // The suite keeps its artifacts in a folder of its own below the temporary one.
  makeDriver: async () => createWasmDriver({ artifactDir: tmpdir(), cacheDir }),
  fixtures: [...js, command, ...components],
  skip: [
    { reason: 'all Wasm sandboxes of a process stop together or not at all', tests: [...PAUSE_TESTS] },
    { reason: 'bodies in a Wasm sandbox have at most 16 MiB', tests: ['echoes a body of 64 MiB'] },
    {
      reason: 'the top level of a js function runs at build time, where it fails the deploy',
      tests: ['reports what the code threw while it was loaded'],
      fixtures: js.map(({ name }) => name),
    },
    {
      reason: 'nothing that a js function can call ends its sandbox',
      tests: ['reports that the code ended its sandbox'],
      fixtures: js.map(({ name }) => name),
    },
    {
      reason: 'WebAssembly that is not JavaScript throws nothing: it traps',
      tests: ['reports what the code threw', 'reports what the code threw while it was loaded'],
      fixtures: [command, ...components].map(({ name }) => name),
    },
    {
      reason: 'the standard output of a command is its response, so only standard error is a log',
      tests: [
        'captures standard output and error of a call',
        'does not mix up the output of calls at the same time',
        'goes on after the response until the work it announced is done',
      ],
      fixtures: [command.name],
    },
  ],
})
