// One Hearth per data directory: a file names the process that has it. Survives kill -9 of that process.
import { createHash, randomUUID } from 'node:crypto'
import { link, lstat, mkdir, readFile, realpath, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

import { sleep } from '#core/clock'
import { PlatformError } from '#core/errors'

/** What fits into a socket address, with a little room, bytes. Linux has 107, macOS 103. */
const LONGEST_SOCKET_PATH = 100
/** Between two looks while another process clears up. */
const GUARD_MS = 5

export interface OwnedDirectory extends AsyncDisposable {
  /** Absolute, without links. */
  readonly dir: string
  /** Where the server listens: in `dir`, or where that is too long for a socket, in a short folder of our own. */
  readonly socketPath: string
}

/** @throws PlatformError `store-unavailable` when a living process has it */
export async function ownDirectory(path: string): Promise<OwnedDirectory> {
  const dir = await realpath(path)
  const ownerPath = join(dir, 'owner')
  const own = `${process.pid} ${await startOf(process.pid)}`
  const draft = `${ownerPath}.${randomUUID()}`
  await writeFile(draft, own, { mode: 0o600 })
  try {
    while (!(await linked(draft, ownerPath))) await clearStale(ownerPath, dir, draft)
  } finally {
    await rm(draft, { force: true })
  }
  return {
    dir,
    socketPath: await socketPathFor(dir),
    async [Symbol.asyncDispose]() {
      await rm(ownerPath, { force: true })
    },
  }
}

/** A link is there with its content at once, or not at all. */
async function linked(from: string, to: string): Promise<boolean> {
  try {
    await link(from, to)
    return true
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') return false
    throw error
  }
}

async function clearStale(ownerPath: string, dir: string, draft: string): Promise<void> {
  const owner = await readFile(ownerPath, 'utf8').catch(() => undefined)
  if (owner === undefined) return
  if (await isAlive(owner)) {
    throw new PlatformError('store-unavailable', {
      detail: `${dir} is in use by another Hearth, process ${owner.split(' ')[0]}: stop that one, or give this one its own HEARTH_DATA_DIR`,
    })
  }
  // One process at a time: what is removed must be the file that was looked at, and not that of one that came first.
  const guardPath = `${ownerPath}.clearing`
  if (!(await linked(draft, guardPath))) {
    const guard = await readFile(guardPath, 'utf8').catch(() => undefined)
    if (guard !== undefined && !(await isAlive(guard))) await rm(guardPath, { force: true })
    return sleep(GUARD_MS, new AbortController().signal)
  }
  try {
    if ((await readFile(ownerPath, 'utf8').catch(() => undefined)) === owner) await rm(ownerPath, { force: true })
  } finally {
    await rm(guardPath, { force: true })
  }
}

async function isAlive(owner: string): Promise<boolean> {
  const [pid, startedAt] = owner.split(' ')
  return startedAt !== undefined && startedAt === (await startOf(Number(pid)))
}

/** Tells a process from a later one with the same pid: its start time on Linux, else only that it lives. */
async function startOf(pid: number): Promise<string | undefined> {
  try {
    process.kill(pid, 0)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EPERM') return undefined
  }
  const status = await readFile(`/proc/${pid}/stat`, 'utf8').catch(() => undefined)
  if (status === undefined) return 'alive'
  // The second field is the name in brackets, and may have spaces in it; the third is the state, the 22nd the start.
  const fields = status.slice(status.lastIndexOf(')') + 2).split(' ')
  const isZombie = fields[0] === 'Z' || fields[0] === 'X'
  return isZombie ? undefined : fields[19]
}

async function socketPathFor(dir: string): Promise<string> {
  const path = join(dir, 'redis.sock')
  if (Buffer.byteLength(path) <= LONGEST_SOCKET_PATH) return path
  const name = `hearth-${createHash('sha256').update(dir).digest('hex').slice(0, 16)}`
  const short = join(process.env.XDG_RUNTIME_DIR ?? tmpdir(), name)
  await mkdir(short, { recursive: true, mode: 0o700 })
  // Not through a link: someone else could have put it there.
  const { uid, mode } = await lstat(short)
  if (uid !== process.getuid?.() || (mode & 0o077) !== 0) {
    throw new PlatformError('store-unavailable', {
      detail: `${short} must belong to this user alone: received owner ${uid} and mode ${(mode & 0o777).toString(8)}`,
    })
  }
  return join(short, 'redis.sock')
}
