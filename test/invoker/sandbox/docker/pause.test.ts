// Pausing by both versions of cgroups and by the daemon, and giving up memory: what the contract suite cannot choose.
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'

import Docker from 'dockerode'
import { describe, expect, test } from 'vitest'

import { systemClock } from '#core/clock'
import { cgroupsOf, findGroups } from '#invoker/sandbox/docker/cgroup'
import { cgroupFreezer, freezerOf } from '#invoker/sandbox/docker/freezer'
import { reclaim } from '#invoker/sandbox/docker/reclaim'
import type { Sandbox, SandboxSpec } from '#invoker/sandbox/driver'
import { tempDir } from '#test/temp-dir'

import { describeWithDocker } from './daemon.ts'

const never = new AbortController().signal
const SPEC: SandboxSpec = { runtime: 'node', engine: 'quickjs', memoryMiB: 128, concurrency: 1 }
const HYBRID = `31 23 0:28 / /sys/fs/cgroup rw,relatime - tmpfs tmpfs rw,mode=755
37 31 0:34 / /sys/fs/cgroup/freezer rw,relatime shared:12 - cgroup cgroup rw,freezer
32 31 0:29 / /sys/fs/cgroup/cpu,cpuacct rw,relatime - cgroup cgroup rw,cpu,cpuacct
41 31 0:38 / /sys/fs/cgroup/unified rw,relatime - cgroup2 cgroup2 rw`

describe('findGroups()', () => {
  test('finds version 2 alone, as of a systemd machine', () => {
    const mounts = '30 24 0:26 / /sys/fs/cgroup rw,nosuid shared:9 - cgroup2 cgroup2 rw,nsdelegate'
    expect(findGroups('0::/system.slice/docker-abc.scope\n', mounts, 'freezer')).toEqual([
      { version: 2, dir: '/sys/fs/cgroup/system.slice/docker-abc.scope' },
    ])
  })

  test('finds both beside each other, version 2 first', () => {
    expect(findGroups('6:freezer:/docker/abc\n1:cpu,cpuacct:/x\n0::/docker/abc\n', HYBRID, 'freezer')).toEqual([
      { version: 2, dir: '/sys/fs/cgroup/unified/docker/abc' },
      { version: 1, dir: '/sys/fs/cgroup/freezer/docker/abc' },
    ])
  })

  test('does not take a mount that shows only a part of the hierarchy', () => {
    const mounts = '30 24 0:26 /docker/self /sys/fs/cgroup ro - cgroup2 cgroup ro'
    expect(findGroups('0::/docker/abc\n', mounts, 'memory')).toEqual([])
  })
})

describe('reclaim()', () => {
  test('does nothing, and says why, where there is no swap', async () => {
    await using dir = await tempDir()
    const swaps = join(dir.path, 'swaps')
    await writeFile(swaps, 'Filename\tType\tSize\tUsed\tPriority\n')
    expect(await reclaim([{ version: 1, dir: dir.path }], swaps)).toEqual({
      hibernated: false,
      reason: 'this machine has no swap: neither a disk nor zram',
    })
  })

  test('says that the cgroup is out of reach', async () => {
    await using dir = await tempDir()
    const swaps = join(dir.path, 'swaps')
    await writeFile(swaps, 'Filename\tType\tSize\tUsed\tPriority\n/dev/zram0 partition 1 0 100\n')
    const reason = 'this process may not change the cgroup of the container, or it is elsewhere'
    expect(await reclaim([], swaps)).toEqual({ hibernated: false, reason })
    expect(await reclaim([{ version: 2, dir: '/nowhere' }], swaps)).toEqual({ hibernated: false, reason })
  })

  test('moves what memory there is, and leaves the limits as they were', async () => {
    await using dir = await tempDir()
    const put = (name: string, text: string): Promise<void> => writeFile(join(dir.path, name), text)
    const swaps = join(dir.path, 'swaps')
    await put('swaps', 'Filename\tType\tSize\tUsed\tPriority\n/dev/zram0 partition 1 0 100\n')
    await put('memory.swap.max', '0\n')
    await put('memory.current', '4096\n')
    expect(await reclaim([{ version: 2, dir: dir.path }], swaps)).toEqual({ hibernated: true, residentBytes: 4096 })
  })
})

await describeWithDocker('a paused container', (get) => {
  const containerOf = async (): Promise<{ container: Docker.Container; pid: number }> => {
    const [found] = await get().docker.containers()
    const container = new Docker().getContainer(found?.id ?? '')
    return { container, pid: (await container.inspect()).State.Pid }
  }

  const isDisposedOf = async (sandbox: Sandbox): Promise<void> => {
    await sandbox[Symbol.asyncDispose]()
    expect(await get().docker.containers()).toEqual([])
  }

  test.for([1, 2] as const)('stops and goes on by cgroups of version %i', async (version, { skip }) => {
    await using sandbox = await get().driver.create(SPEC, never)
    const { container, pid } = await containerOf()
    const group = cgroupsOf(pid, container.id, 'freezer').find((each) => each.version === version)
    skip(group === undefined, `no cgroups of version ${version} on this machine`)
    const freezer = cgroupFreezer(group!, systemClock)
    await freezer.freeze()
    expect(await sandbox.responsive(100)).toBe(false)
    await freezer.thaw()
    expect(await sandbox.responsive(5000)).toBe(true)
  })

  test('stops and goes on by the daemon, where cgroups are out of reach', async () => {
    const sandbox = await get().driver.create(SPEC, never)
    const { container } = await containerOf()
    const freezer = freezerOf(container, 0, systemClock)
    await freezer.freeze()
    expect((await container.inspect()).State.Paused).toBe(true)
    expect(await sandbox.responsive(100)).toBe(false)
    await freezer.thaw()
    await freezer.thaw()
    expect(await sandbox.responsive(5000)).toBe(true)
    await freezer.freeze()
    await isDisposedOf(sandbox)
  })

  test('that its process left behind frozen is removed by the next one', async () => {
    const crashed = await get().docker.makeDriver()
    const orphan = await crashed.create(SPEC, never)
    await orphan.pause?.()
    const restarted = await get().docker.makeDriver()
    expect(await restarted.recover(never)).toEqual([orphan.id])
    expect(await get().docker.containers()).toEqual([])
    await Promise.all([crashed, restarted].map((driver) => driver[Symbol.asyncDispose]()))
  })
})
