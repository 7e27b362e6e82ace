// Real containers, through the guard and the pool. Without a daemon it says so; HEARTH_TEST_REQUIRE=all makes that fail.
import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

import { afterAll, expect } from 'vitest'

import type { FileSet } from '#core/artifact'
import { dockerIsOff, notRun, openTestDocker } from '#test/invoker/sandbox/docker/daemon'

import { describeSandboxDriver } from './sandbox-driver.ts'

const off = await dockerIsOff()
if (off !== undefined) {
  notRun('the contract suite with the docker driver', off)
} else {
  const docker = await openTestDocker()
  afterAll(() => docker[Symbol.asyncDispose]())
  describeSandboxDriver({
    name: 'docker',
    makeDriver: () => docker.makeDriver(),
    fixtures: [
      {
        name: 'node',
        spec: { runtime: 'node' },
        artifact: () => fixture('node'),
        broken: () => fixture('broken'),
      },
      {
        name: 'python',
        spec: { runtime: 'python' },
        artifact: () => fixture('python'),
        broken: () => fixture('broken'),
      },
    ],
    skip: [],
    expectNothingLeft: async () => expect(await docker.containers()).toEqual([]),
  })
}

async function fixture(name: string): Promise<FileSet> {
  const dir = fileURLToPath(new URL(`fixtures/${name}/`, import.meta.url))
  const names = await readdir(dir)
  return new Map(await Promise.all(names.map(async (path) => [path, await readFile(join(dir, path))] as const)))
}
