// Starts a peer in a process group of its own and ends the whole group: jco and serverless leave children otherwise.
import { spawn } from 'node:child_process'
import { setTimeout as sleep } from 'node:timers/promises'

const START_LIMIT_MS = 60_000

export interface Launch {
  /** Program and arguments. */
  readonly command: readonly string[]
  readonly cwd: string
  /** Beside this process's own. */
  readonly env: Readonly<Record<string, string>>
}

/** Resolves when it answers on the port. @throws when it does not within a minute */
export async function startPeer({ command, cwd, env }: Launch, url: string): Promise<AsyncDisposable> {
  const [program, ...args] = command
  const child = spawn(program!, args, { cwd, env: { ...process.env, ...env }, detached: true, stdio: 'ignore' })
  const ended = new Promise<void>((resolve) => child.once('exit', () => resolve()))
  const peer = {
    async [Symbol.asyncDispose]() {
      signalGroup(child.pid, 'SIGTERM')
      await Promise.race([ended, sleep(1000, undefined, { ref: false })])
      signalGroup(child.pid, 'SIGKILL')
      await ended
    },
  }
  const deadline = performance.now() + START_LIMIT_MS
  while (performance.now() < deadline && child.exitCode === null) {
    if (await answers(url)) return peer
    await sleep(100)
  }
  await peer[Symbol.asyncDispose]()
  throw new Error(`${command.join(' ')} did not answer within ${START_LIMIT_MS} ms (exit code ${child.exitCode})`)
}

async function answers(url: string): Promise<boolean> {
  const response = await fetch(url).catch(() => undefined)
  await response?.body?.cancel()
  return response?.ok === true
}

function signalGroup(pid: number | undefined, signal: NodeJS.Signals): void {
  try {
    if (pid !== undefined) process.kill(-pid, signal)
  } catch {
    // The group has ended.
  }
}
