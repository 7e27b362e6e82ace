// The directory for socket files: its path must be short (the kernel takes 107 bytes), and only its owner may enter.
import { createHash } from 'node:crypto'
import { lstat, mkdir, rm } from 'node:fs/promises'
import { tmpdir, userInfo } from 'node:os'
import { join } from 'node:path'

import { CliError, EXIT } from '../exit.ts'

export interface RuntimeDir extends AsyncDisposable {
  readonly path: string
}

/**
 * The same for every start on a data directory, so that a crash leaves nothing that the next start does not take over.
 * Disposing removes it.
 * @throws CliError when somebody else's directory is in its place
 */
export async function openRuntimeDir(
  dataDir: string,
  env: Readonly<Record<string, string | undefined>>,
): Promise<RuntimeDir> {
  const id = createHash('sha256').update(dataDir).digest('hex').slice(0, 12)
  const path = join(env.XDG_RUNTIME_DIR || tmpdir(), `hearth-${id}`)
  await mkdir(path, { recursive: true, mode: 0o700 })
  const info = await lstat(path)
  if (!info.isDirectory() || info.uid !== userInfo().uid || (info.mode & 0o077) !== 0) {
    throw new CliError(`${path} must be a directory that only this user can enter`, {
      exit: EXIT.usage,
      hint: 'remove it, or set XDG_RUNTIME_DIR to a directory of your own',
    })
  }
  return { path, [Symbol.asyncDispose]: () => rm(path, { recursive: true, force: true }) }
}
