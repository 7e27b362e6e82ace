// Where the kernel's controls of a container are on this machine: cgroups of version 1 and 2, and both beside each other.
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'

export interface Cgroup {
  readonly version: 1 | 2
  readonly dir: string
}

type Controller = 'freezer' | 'memory'

/** Read once: there are as many lines as the machine has mounts, and these few stay. */
const cgroupMounts = readCgroupMounts()

/**
 * The groups of a container's first process that may have this controller, the better ones first. None when the process is
 * not of this container: its number is another's by now, or the daemon is on another machine.
 */
export function cgroupsOf(pid: number, containerId: string, controller: Controller): readonly Cgroup[] {
  if (pid <= 0) return []
  try {
    const groups = readFileSync(`/proc/${pid}/cgroup`, 'utf8')
    return findGroups(groups, cgroupMounts, controller).filter(({ dir }) => dir.includes(containerId))
  } catch {
    return []
  }
}

/**
 * @param groups as /proc/<pid>/cgroup
 * @param mounts as /proc/self/mountinfo
 */
export function findGroups(groups: string, mounts: string, controller: Controller): readonly Cgroup[] {
  const found: Cgroup[] = []
  for (const { version, point, controllers } of readMounts(mounts)) {
    if (version === 1 && !controllers.includes(controller)) continue
    const path = pathOf(groups, version === 1 ? controller : '')
    if (path !== undefined) found.push({ version, dir: join(point, path) })
  }
  // In a frozen group of version 2 processes can be killed.
  return found.toSorted((a, b) => b.version - a.version)
}

const USAGE = { 1: 'memory.usage_in_bytes', 2: 'memory.current' } as const

/** The file that says how many bytes the first of these groups that counts memory holds; undefined when none does. */
export function usageFile(groups: readonly Cgroup[]): string | undefined {
  return groups.map(({ version, dir }) => join(dir, USAGE[version])).find((file) => existsSync(file))
}

interface Mount {
  readonly version: 1 | 2
  readonly point: string
  readonly controllers: readonly string[]
}

function readCgroupMounts(): string {
  try {
    const mounts = readFileSync('/proc/self/mountinfo', 'utf8').split('\n')
    return mounts.filter((line) => / - cgroup2? /.test(line)).join('\n')
  } catch {
    // Not on Linux: the daemon pauses.
    return ''
  }
}

/** Only those of whole hierarchies: paths of processes begin at their tops. */
function readMounts(mounts: string): readonly Mount[] {
  return mounts.split('\n').flatMap((line): readonly Mount[] => {
    const [, , , root, point, ...rest] = line.split(' ')
    const [type, , options = ''] = rest.slice(rest.indexOf('-') + 1)
    if (root !== '/' || point === undefined || (type !== 'cgroup' && type !== 'cgroup2')) return []
    return [{ version: type === 'cgroup' ? 1 : 2, point, controllers: options.split(',') }]
  })
}

/** Of a line as `6:freezer:/docker/…`; version 2 is the one without a name, `0::/docker/…`. */
function pathOf(groups: string, controller: string): string | undefined {
  for (const line of groups.split('\n')) {
    const [, names = '', ...path] = line.split(':')
    if (path.length > 0 && names.split(',').includes(controller)) return path.join(':')
  }
  return undefined
}
