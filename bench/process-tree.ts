// What processes hold and use, as Linux tells it in /proc. Every figure is of the processes that are there at the moment.
import { readdir, readFile } from 'node:fs/promises'

const KIB = 1024
/** Of the times in /proc; 100 on every Linux that Node runs on. */
const TICKS_PER_S = 100

/** Proportional set size, bytes: what is shared counts once, in equal parts. 0 when the process is gone. */
export function pssOf(pid: number): Promise<number> {
  return rolledUp(pid, 'Pss')
}

/** The part of it that is no file: unlike the program's text it does not change with who else runs the same program. */
export function anonymousOf(pid: number): Promise<number> {
  return rolledUp(pid, 'Pss_Anon')
}

async function rolledUp(pid: number, field: 'Pss' | 'Pss_Anon'): Promise<number> {
  const rollup = await readFile(`/proc/${pid}/smaps_rollup`, 'utf8').catch(() => '')
  return Number(new RegExp(`^${field}:\\s+(\\d+) kB`, 'm').exec(rollup)?.[1] ?? 0) * KIB
}

/** s of all processors. */
export async function cpuSecondsOf(pid: number): Promise<number> {
  const { cpuTicks } = parseStat(await readFile(`/proc/${pid}/stat`, 'utf8'))
  return cpuTicks / TICKS_PER_S
}

export async function parentOf(pid: number): Promise<number> {
  return parseStat(await readFile(`/proc/${pid}/stat`, 'utf8')).parent
}

/** The process and all that descend from it. */
export async function treeOf(root: number): Promise<readonly number[]> {
  const pids = (await readdir('/proc')).filter((name) => /^\d+$/.test(name)).map(Number)
  const parents = await Promise.all(pids.map(async (pid) => [pid, await parentOf(pid).catch(() => 0)] as const))
  return descendants(root, new Map(parents))
}

/** @param parents of every process, by pid */
export function descendants(root: number, parents: ReadonlyMap<number, number>): readonly number[] {
  const found = [root]
  for (const pid of found) for (const [child, parent] of parents) if (parent === pid) found.push(child)
  return found
}

/** @param text as /proc/<pid>/stat: the name in it is anything, so what matters is counted from its end */
export function parseStat(text: string): { readonly parent: number; readonly cpuTicks: number } {
  const fields = text.slice(text.lastIndexOf(')') + 2).split(' ')
  return { parent: Number(fields[1]), cpuTicks: Number(fields[11]) + Number(fields[12]) }
}
