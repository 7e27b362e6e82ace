// Secrets of an installation: from the environment, else made on the first start and kept in the data directory.
import { randomBytes } from 'node:crypto'
import { chmod, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'

import type { Config } from '#core/config'
import { newSigningSecret } from '#gateway/destinations/signature'

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
  return { token: await kept(path, () => randomBytes(32).toString('base64url')), path }
}

/** What posts to destinations are signed with; receivers need it, too. The same rule as for adminToken. */
export async function signingSecret({
  signingSecret: given,
  dataDir,
}: Pick<Config, 'signingSecret' | 'dataDir'>): Promise<string> {
  return given === '' ? kept(join(dataDir, 'signing-secret'), newSigningSecret) : given
}

async function kept(path: string, make: () => string): Promise<string> {
  const found = await readFile(path, 'utf8').catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return ''
    throw error
  })
  if (found.trim() !== '') {
    await chmod(path, 0o600)
    return found.trim()
  }
  const secret = make()
  await writeFile(path, `${secret}\n`, { mode: 0o600 })
  return secret
}
