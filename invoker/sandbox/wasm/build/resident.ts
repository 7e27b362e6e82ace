// How much memory a process and those it started use.
import { readFile } from 'node:fs/promises'

/** Resident memory of a process and its descendants, MiB; 0 where /proc is not there to tell. */
export async function residentMiB(pid: number): Promise<number> {
  const [status, children] = await Promise.all([
    read(`/proc/${pid}/status`),
    // Those of the main thread, from which node starts processes.
    read(`/proc/${pid}/task/${pid}/children`),
  ])
  const own = Number(/^VmRSS:\s+(\d+) kB/m.exec(status)?.[1] ?? 0) / 1024
  const pids = children.split(' ').filter(Boolean).map(Number)
  const others = await Promise.all(pids.map(residentMiB))
  return others.reduce((sum, used) => sum + used, own)
}

function read(path: string): Promise<string> {
  return readFile(path, 'utf8').catch(() => '')
}
