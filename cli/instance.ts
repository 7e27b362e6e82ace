// What a running `hearth serve` leaves in its data directory so that the CLI and a second process find it.
import { readFile, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'

export interface Instance {
  readonly url: string
  readonly pid: number
  /** Absent when the token came from the environment: then it is written nowhere. */
  readonly tokenPath?: string
}

function instancePath(dataDir: string): string {
  return join(dataDir, 'instance.json')
}

/** Undefined when none runs, as far as its process can be seen from here. */
export async function readInstance(dataDir: string): Promise<Instance | undefined> {
  let instance: Instance
  try {
    instance = JSON.parse(await readFile(instancePath(dataDir), 'utf8')) as Instance
  } catch {
    return undefined
  }
  return isRunning(instance.pid) ? instance : undefined
}

/** Disposing takes it away again. */
export async function writeInstance(dataDir: string, instance: Instance): Promise<AsyncDisposable> {
  await writeFile(instancePath(dataDir), `${JSON.stringify(instance)}\n`, { mode: 0o600 })
  return { [Symbol.asyncDispose]: () => rm(instancePath(dataDir), { force: true }) }
}

function isRunning(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return true
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM'
  }
}
