// The Docker daemon of this machine for tests, if there is one. Every user gets an installation label of its own.
import { randomUUID } from 'node:crypto'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

import Docker from 'dockerode'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'

import type { FileSet } from '#core/artifact'
import { createDockerDriver, type DockerDriverOptions } from '#invoker/sandbox/docker/driver'
import type { SandboxDriver } from '#invoker/sandbox/driver'

const INSTALLATION_LABEL = 'dev.hearth.installation'

export interface TestDocker extends AsyncDisposable {
  readonly options: DockerDriverOptions
  /** Each is as a process of its own. */
  makeDriver(): Promise<SandboxDriver>
  kill(containerId: string): Promise<void>
  /** Ids and commands of the containers that the installation has. */
  containers(): Promise<readonly { readonly id: string; readonly running: boolean }[]>
}

const dockerHost = process.env.DOCKER_HOST ?? 'unix:///var/run/docker.sock'

/** Why there is no daemon here, or undefined when there is one. */
export async function dockerIsOff(): Promise<string | undefined> {
  const runtimeDir = await mkdtemp(join(tmpdir(), 'hearth-dk-'))
  const result = await createDockerDriver({ dockerHost, runtimeDir, installation: 'probe', onProgress: () => {} })
  if (result.on) await result.driver[Symbol.asyncDispose]()
  await rm(runtimeDir, { recursive: true })
  return result.on ? undefined : result.reason
}

/** In the place of the tests that cannot run: says so, and fails where everything is required. */
export function notRun(what: string, reason: string): void {
  if (process.env.HEARTH_TEST_REQUIRE === 'all') {
    test(what, () => expect.fail(`not run: ${reason}`))
  } else {
    test.skip(`${what} (not run: ${reason})`, () => undefined)
  }
}

export async function openTestDocker(): Promise<TestDocker> {
  const runtimeDir = await mkdtemp(join(tmpdir(), 'hearth-dk-'))
  const installation = `test-${randomUUID()}`
  const docker = new Docker(dockerHost.startsWith('unix://') ? { socketPath: dockerHost.slice('unix://'.length) } : {})
  const options = { dockerHost, runtimeDir, installation, onProgress: () => {} }
  return {
    options,
    kill: (containerId) => docker.getContainer(containerId).kill(),
    async makeDriver() {
      const result = await createDockerDriver(options)
      if (!result.on) throw new Error(result.reason)
      return result.driver
    },
    async containers() {
      const filters = { label: [`${INSTALLATION_LABEL}=${installation}`] }
      const found = await docker.listContainers({ all: true, filters })
      return found.map(({ Id: id, State: state }) => ({ id, running: state === 'running' }))
    },
    async [Symbol.asyncDispose]() {
      await rm(runtimeDir, { recursive: true, force: true })
    },
  }
}

/** Code as a sandbox loads it, from texts. */
export function codeFiles(files: Readonly<Record<string, string>>): FileSet {
  return new Map(Object.entries(files).map(([path, text]) => [path, Buffer.from(text)]))
}

/** What the tests in `describeWithDocker` have, once they run. */
export interface DockerTests {
  readonly docker: TestDocker
  readonly driver: SandboxDriver
}

/** A `describe` with a driver that is disposed of at its end; nothing may be left then. Not run without a daemon. */
export async function describeWithDocker(name: string, tests: (get: () => DockerTests) => void): Promise<void> {
  const off = await dockerIsOff()
  if (off !== undefined) return notRun(name, off)
  describe(name, () => {
    let open: DockerTests | undefined
    beforeAll(async () => {
      const docker = await openTestDocker()
      open = { docker, driver: await docker.makeDriver() }
    })
    afterAll(async () => {
      await open?.driver[Symbol.asyncDispose]()
      expect(await open?.docker.containers()).toEqual([])
      await open?.docker[Symbol.asyncDispose]()
    })
    tests(() => {
      if (open === undefined) throw new Error('the driver is there only while tests run')
      return open
    })
  })
}
