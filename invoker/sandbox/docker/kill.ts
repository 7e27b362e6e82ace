// Ends a container at once. Through the daemon that takes 45 ms and more when it is busy; a signal takes none.
import { readFileSync } from 'node:fs'

import type Docker from 'dockerode'

/**
 * Kills the first process of a container, and the kernel all others with it, when this process may: it is root and the
 * daemon is on this machine. Does nothing otherwise.
 */
export function killAtOnce(pid: number, containerId: string): void {
  if (pid <= 0 || process.getuid?.() !== 0) return
  try {
    // The number could be another process by now, or one of another machine's.
    if (readFileSync(`/proc/${pid}/cgroup`, 'utf8').includes(containerId)) process.kill(pid, 'SIGKILL')
  } catch {
    // Gone already.
  }
}

/** Kills and removes a container. Never throws: what is left is found by its labels later. */
export async function removeContainer(container: Docker.Container): Promise<void> {
  try {
    await container.remove({ force: true, v: true })
  } catch {
    // 404: gone. 409: being removed already. Anything else: recover() of the next start will find it.
  }
}
