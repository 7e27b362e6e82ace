// The admin token: from the environment, else made on the first start and kept in the data directory.
import { randomBytes } from 'node:crypto'
import { chmod, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'

import type { Config } from '#core/config'

export interface AdminToken {
  readonly token: string
  /** Where it is kept; undefined when it came from the environment: then it is written nowhere. */
  readonly path: string | undefined
}

/** Only the process that holds the lock of the data directory may call this. */
export async function adminToken({
  adminToken: given,
  dataDir,
}: Pick<Config, 'adminToken' | 'dataDir'>): Promise<AdminToken> {
  if (given !== '') return { token: given, path: undefined }
  const path = join(dataDir, 'admin-token')
  const kept = await readFile(path, 'utf8').catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return ''
    throw error
  })
  if (kept.trim() !== '') {
    await chmod(path, 0o600)
    return { token: kept.trim(), path }
  }
  const token = randomBytes(32).toString('base64url')
  await writeFile(path, `${token}\n`, { mode: 0o600 })
  return { token, path }
}
