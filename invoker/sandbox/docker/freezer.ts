// Stops the processes of a container where they are. Through the kernel that takes 0.2 ms, through the daemon 10 ms.
import { accessSync, constants, writeFileSync } from 'node:fs'
import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'

import type Docker from 'dockerode'

import { type Clock, sleep } from '#core/clock'

import { type Cgroup, cgroupsOf } from './cgroup.ts'

export interface Freezer {
  /** Rejects when they run on. */
  freeze(): Promise<void>
  /** Idempotent. */
  thaw(): Promise<void>
}

const never = new AbortController().signal
/** A process that waits for a disk stops when it has been served. */
const FREEZE_MS = 1_000
const CONTROLS = {
  1: { file: 'freezer.state', frozen: 'FROZEN', thawed: 'THAWED', state: 'freezer.state', isFrozen: /^FROZEN/ },
  2: { file: 'cgroup.freeze', frozen: '1', thawed: '0', state: 'cgroup.events', isFrozen: /^frozen 1$/m },
} as const

/** The kernel's when this process may use it, else the daemon's. */
export function freezerOf(container: Docker.Container, pid: number, clock: Clock): Freezer {
  const group = cgroupsOf(pid, container.id, 'freezer').find(isWritable)
  return group === undefined ? daemonFreezer(container) : cgroupFreezer(group, clock)
}

export function cgroupFreezer({ version, dir }: Cgroup, clock: Clock): Freezer {
  const { file, frozen, thawed, state, isFrozen } = CONTROLS[version]
  return {
    // Of many at a time, and nobody waits for it: not on this thread, as thawing is, for which a call waits.
    async freeze() {
      await writeFile(join(dir, file), frozen)
      const giveUpAt = clock.monotonic() + FREEZE_MS
      while (!isFrozen.test(await readFile(join(dir, state), 'utf8'))) {
        if (clock.monotonic() > giveUpAt) {
          await writeFile(join(dir, file), thawed)
          throw new Error(`the processes of ${dir} must stop within ${FREEZE_MS} ms: they did not`)
        }
        await sleep(1, never, clock)
      }
    },
    async thaw() {
      writeFileSync(join(dir, file), thawed)
    },
  }
}

function daemonFreezer(container: Docker.Container): Freezer {
  return {
    freeze: () => container.pause().then(() => undefined),
    async thaw() {
      try {
        await container.unpause()
      } catch (error) {
        // Conflict, or with older daemons an error of the server: it was not paused.
        if (!/not paused/.test((error as Error).message)) throw error
      }
    },
  }
}

function isWritable({ version, dir }: Cgroup): boolean {
  try {
    accessSync(join(dir, CONTROLS[version].file), constants.W_OK)
    return true
  } catch {
    return false
  }
}
