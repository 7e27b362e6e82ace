// Moves the memory of a frozen container to swap, where the machine has any.
import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'

import type { Hibernation } from '../driver.ts'
import type { Cgroup } from './cgroup.ts'

const LARGEST = Number.MAX_SAFE_INTEGER

/** @param groups those of the container that may control memory */
export async function reclaim(groups: readonly Cgroup[], swaps = '/proc/swaps'): Promise<Hibernation> {
  if (!(await hasSwap(swaps))) return { hibernated: false, reason: 'this machine has no swap: neither a disk nor zram' }
  for (const group of groups) {
    const resident = group.version === 1 ? await reclaim1(group.dir) : await reclaim2(group.dir)
    if (resident !== undefined) return { hibernated: true, residentBytes: resident }
  }
  return { hibernated: false, reason: 'this process may not change the cgroup of the container, or it is elsewhere' }
}

/** There is more than its heading. */
async function hasSwap(swaps: string): Promise<boolean> {
  const text = await readFile(swaps, 'utf8').catch(() => '')
  return text.trim().split('\n').length > 1
}

/** Bytes that are still in memory, or undefined when it cannot be done. */
async function reclaim1(dir: string): Promise<number | undefined> {
  const limit = join(dir, 'memory.memsw.limit_in_bytes')
  try {
    // As long as memory and memory with swap have the same limit, the kernel does not swap.
    const before = await readFile(limit, 'utf8')
    await writeFile(limit, String(LARGEST))
    try {
      await writeFile(join(dir, 'memory.force_empty'), '0').catch(ignoreBusy)
    } finally {
      await writeFile(limit, before.trim())
    }
    return Number(await readFile(join(dir, 'memory.usage_in_bytes'), 'utf8'))
  } catch {
    return undefined
  }
}

async function reclaim2(dir: string): Promise<number | undefined> {
  const limit = join(dir, 'memory.swap.max')
  try {
    const before = await readFile(limit, 'utf8')
    const usage = await readFile(join(dir, 'memory.current'), 'utf8')
    await writeFile(limit, 'max')
    try {
      await writeFile(join(dir, 'memory.reclaim'), usage.trim()).catch(ignoreBusy)
    } finally {
      // What is in swap by now stays there.
      await writeFile(limit, before.trim())
    }
    return Number(await readFile(join(dir, 'memory.current'), 'utf8'))
  } catch {
    return undefined
  }
}

/** Not all of it could be moved. */
function ignoreBusy(error: NodeJS.ErrnoException): void {
  if (error.code !== 'EBUSY' && error.code !== 'EAGAIN') throw error
}
