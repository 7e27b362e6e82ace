import { createServer } from 'node:http'
import { join } from 'node:path'

import { describe, expect, test } from 'vitest'

import type { SandboxSpec } from '#invoker/sandbox/driver'
import { createDockerDriver } from '#invoker/sandbox/docker/driver'
import { tempDir } from '#test/temp-dir'

import { describeWithDocker, openTestDocker } from './daemon.ts'

const never = new AbortController().signal
const SPEC: SandboxSpec = { runtime: 'node', engine: 'quickjs', memoryMiB: 128, concurrency: 1 }

async function reasonAt(dockerHost: string): Promise<string> {
  await using dir = await tempDir()
  const options = { dockerHost, runtimeDir: dir.path, installation: 'x', onProgress: () => {} }
  const result = await createDockerDriver(options)
  return result.on ? 'it is on' : result.reason
}

describe('createDockerDriver()', () => {
  test('says that there is no daemon', async () => {
    expect(await reasonAt('unix:///nowhere/docker.sock')).toBe('no daemon at /nowhere/docker.sock')
    expect(await reasonAt('/nowhere/docker.sock')).toBe('no daemon at /nowhere/docker.sock')
    expect(await reasonAt('tcp://127.0.0.1:1')).toBe('no daemon at 127.0.0.1:1')
  })

  test('says that a daemon speaks something else', async () => {
    const server = createServer((_, response) => response.writeHead(404).end('not Docker'))
    await using dir = await tempDir()
    const path = join(dir.path, 's')
    await new Promise<void>((resolve) => server.listen(path, resolve))
    expect(await reasonAt(path)).toMatch(/^the daemon at .*\/s does not answer: .*404/)
    server.close()
  })

  test('says that a folder is too deep for sockets', async () => {
    const runtimeDir = `/tmp/${'x'.repeat(100)}`
    const options = { dockerHost: '/nowhere', runtimeDir, installation: 'x', onProgress: () => {} }
    expect(await createDockerDriver(options)).toEqual({
      on: false,
      reason: `the paths of its sockets must have at most 107 bytes: those in ${runtimeDir} have 124`,
    })
  })

  test('says what a Docker host is', async () => {
    expect(await reasonAt('ssh://somewhere')).toMatch(
      /^the Docker host must be unix:\/\/\/path or tcp:\/\/host:port: received ssh/,
    )
  })
})

await describeWithDocker('the docker driver', (get) => {
  test('says what it is connected to', () => {
    expect(get().driver.detail).toMatch(/^Docker \d+\.\S+ at \S+$/)
  })

  test('refuses less memory than a runtime needs', async () => {
    await expect(get().driver.create({ ...SPEC, memoryMiB: 16 }, never)).rejects.toMatchObject({
      code: 'sandbox-unavailable',
      message: 'memoryMiB of a node function must be at least 64: received 16',
    })
  })

  test('refuses runtimes of other drivers', async () => {
    await expect(get().driver.create({ ...SPEC, runtime: 'js' }, never)).rejects.toMatchObject({
      code: 'driver-unavailable',
    })
  })

  test('runs in the least memory that it accepts', async () => {
    for (const spec of [
      { ...SPEC, memoryMiB: 64 },
      { ...SPEC, runtime: 'python', memoryMiB: 32 },
    ] as const) {
      await using sandbox = await get().driver.create(spec, never)
      expect(await sandbox.responsive(5000)).toBe(true)
    }
  })

  test('leaves no container behind when a create is aborted at any moment', async () => {
    const { driver, docker } = get()
    for (const ms of [0, 5, 20, 60, 120]) {
      const signal = AbortSignal.timeout(ms)
      await driver.create(SPEC, signal).then(
        (sandbox) => sandbox[Symbol.asyncDispose](),
        () => undefined,
      )
    }
    expect(await docker.containers()).toEqual([])
  })

  test('disposing of the driver ends its sandboxes, those that are being made too', async () => {
    const { docker } = get()
    const driver = await docker.makeDriver()
    const sandbox = await driver.create(SPEC, never)
    const another = driver.create(SPEC, never).catch((error: Error) => error.message)
    await driver[Symbol.asyncDispose]()
    expect(await sandbox.ended).toEqual({ cause: 'disposed' })
    await another
    expect(await docker.containers()).toEqual([])
  })

  test('recover() removes what another process of the installation left, and nothing else', async () => {
    const { docker } = get()
    await using neighbour = await openTestDocker()
    const crashed = await docker.makeDriver()
    const orphan = await crashed.create(SPEC, never)
    const other = await neighbour.makeDriver()
    await using theirs = await other.create(SPEC, never)
    const restarted = await docker.makeDriver()
    await using mine = await restarted.create(SPEC, never)
    expect(await restarted.recover(never)).toEqual([orphan.id])
    expect(await docker.containers()).toHaveLength(1)
    expect(await neighbour.containers()).toHaveLength(1)
    expect(await mine.responsive(5000)).toBe(true)
    expect(await theirs.responsive(5000)).toBe(true)
    expect((await orphan.ended).cause).toBe('exited')
    await Promise.all([crashed, other, restarted].map((driver) => driver[Symbol.asyncDispose]()))
  })

  test('a container that somebody kills has ended', async () => {
    await using sandbox = await get().driver.create(SPEC, never)
    const [container] = await get().docker.containers()
    await get().docker.kill(container?.id ?? '')
    expect(await sandbox.ended).toEqual({ cause: 'exited', detail: 'killed' })
  })
})
