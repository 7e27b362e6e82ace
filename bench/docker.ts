// The docker driver by itself, without a gateway or a pool, and what its containers hold.
import { execFile } from 'node:child_process'
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'

import { createDockerDriver } from '#invoker/sandbox/docker/driver'
import type { Sandbox, SandboxDriver } from '#invoker/sandbox/driver'

const run = promisify(execFile)

export interface Docker extends AsyncDisposable {
  readonly driver: SandboxDriver
}

/** Disposing ends all its containers. @returns undefined, and says why, when there is no Docker */
export async function openDocker(): Promise<Docker | undefined> {
  const runtimeDir = await mkdtemp(join(tmpdir(), 'hearth-bc-'))
  const opened = await createDockerDriver({
    dockerHost: process.env.DOCKER_HOST ?? 'unix:///var/run/docker.sock',
    runtimeDir,
    installation: `bench-${process.pid}`,
    onProgress: ({ message }) => console.error(message),
  })
  if (!opened.on) {
    console.error(`docker is off: ${opened.reason}`)
    await rm(runtimeDir, { recursive: true })
    return undefined
  }
  const { driver } = opened
  return {
    driver,
    async [Symbol.asyncDispose]() {
      await driver[Symbol.asyncDispose]()
      await rm(runtimeDir, { recursive: true, force: true })
    },
  }
}

/** The first process of a sandbox's container. */
export async function pidOf({ id }: Pick<Sandbox, 'id'>): Promise<number> {
  return (await inspectPids([`hearth-${id}`]))[0]!
}

/** The first processes of all containers with this label. */
export async function pidsWithLabel(label: string): Promise<readonly number[]> {
  const { stdout } = await run('docker', ['ps', '--quiet', '--filter', `label=${label}`])
  const ids = stdout.split('\n').filter((id) => id !== '')
  return ids.length === 0 ? [] : inspectPids(ids)
}

async function inspectPids(containers: readonly string[]): Promise<number[]> {
  const { stdout } = await run('docker', ['inspect', '--format', '{{.State.Pid}}', ...containers])
  return stdout.trim().split('\n').map(Number)
}

/** The memory of the cgroup of a process, bytes. Version 1 or 2. */
export async function cgroupMemory(pid: number): Promise<number> {
  const groups = await readFile(`/proc/${pid}/cgroup`, 'utf8')
  const path = /^\d+:memory:(.*)$/m.exec(groups)?.[1]
  if (path !== undefined) return Number(await readFile(`/sys/fs/cgroup/memory${path}/memory.usage_in_bytes`, 'utf8'))
  const unified = /^0::(.*)$/m.exec(groups)?.[1] ?? ''
  return Number(await readFile(`/sys/fs/cgroup${unified}/memory.current`, 'utf8'))
}
