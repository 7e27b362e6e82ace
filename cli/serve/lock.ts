// One process per data directory. The lock is the kernel's, held through SQLite: it ends with the process, however
// that ends, so there is nothing stale to clean up after kill -9.
import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'

import { CliError, EXIT } from '../exit.ts'
import { readInstance } from '../instance.ts'

const SQLITE_BUSY = 5

/**
 * Makes the directory when it is not there, readable by its owner only, and locks it.
 * @throws CliError when another process has it, or it cannot be made
 */
export async function lockDataDir(dataDir: string): Promise<Disposable> {
  try {
    await mkdir(dataDir, { recursive: true, mode: 0o700 })
    return lock(join(dataDir, 'lock'))
  } catch (error) {
    if ((error as { errcode?: number }).errcode !== SQLITE_BUSY) {
      const reason = error instanceof Error ? error.message : String(error)
      throw new CliError(`the data directory ${dataDir} cannot be used: ${reason}`, {
        exit: EXIT.usage,
        hint: 'set HEARTH_DATA_DIR to a directory that can be written to',
      })
    }
    const other = await readInstance(dataDir)
    const holder = other === undefined ? 'another process' : `process ${other.pid} at ${other.url}`
    throw new CliError(`the data directory ${dataDir} is in use by ${holder}`, {
      exit: EXIT.usage,
      hint: 'stop that one, or start this one with its own HEARTH_DATA_DIR and HEARTH_PORT',
    })
  }
}

function lock(path: string): Disposable {
  const database = new DatabaseSync(path, { timeout: 0 })
  try {
    database.exec('PRAGMA locking_mode = EXCLUSIVE; BEGIN EXCLUSIVE')
  } catch (error) {
    database.close()
    throw error
  }
  return { [Symbol.dispose]: () => database.close() }
}
