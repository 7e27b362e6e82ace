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

import { describeSandboxDriver } from './sandbox-driver.ts'

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
  const source = await readFile(new URL(`fixtures/${runtime}/${path}`, import.meta.url))
  const draft = {
    name: parseFunctionName('contract'),
    spec: parseSpec({ runtime }, runtime),
    source: new Map([[path, source]]),
  }
  return (await builder.build(draft, () => {}, new AbortController().signal)).artifact
}

describeSandboxDriver({
  name: 'wasm',
  // The suite keeps its artifacts in a folder of its own below the temporary one.
  makeDriver: async () => createWasmDriver({ artifactDir: tmpdir(), cacheDir }),
  fixtures: (['reset', 'fresh', 'warm'] as const).map((instances) => ({
    name: `js-${instances}`,
    spec: { runtime: 'js', instances },
    artifact: () => built('js', 'index.js'),
  })),
  skip: [
    { reason: 'bodies in a Wasm sandbox have at most 16 MiB', tests: ['echoes a body of 64 MiB'] },
    {
      reason: 'the top level of a js function runs at build time, where it fails the deploy',
      tests: ['reports what the code threw while it was loaded'],
    },
    {
      reason: 'nothing that a js function can call ends its sandbox',
      tests: ['reports that the code ended its sandbox'],
    },
  ],
})
