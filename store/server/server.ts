// A private Redis as a child process: started, watched, started again when it dies, shut down with its data written.
import { type ChildProcess, spawn } from 'node:child_process'
import { open, readFile, rm, rmdir, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'

import { type Clock, sleep } from '#core/clock'
import { PlatformError } from '#core/errors'

import { ask } from './ask.ts'
import type { OwnedDirectory } from './owner.ts'

/** How a server is started that has its data in `dir` and listens at `socketPath`. */
export interface Launcher {
  /** For the banner. */
  readonly detail: string
  command(dir: string, socketPath: string): LaunchCommand
}

export interface LaunchCommand {
  readonly program: string
  readonly args: readonly string[]
  readonly env: Readonly<Record<string, string>>
}

interface ServerOptions {
  readonly onProgress: (message: string) => void
  readonly signal: AbortSignal
  readonly clock: Clock
}

/** Longest without any answer after the start, or until it has ended, ms. */
const START_MS = 30_000
const STOP_MS = 10_000
const POLL_MS = 20
const RESTART_MS = 500

export function programLauncher(program: string, env: Readonly<Record<string, string>>, detail: string): Launcher {
  return {
    detail,
    command: (dir, socketPath) => ({ program, args: serverArgs(dir, socketPath), env }),
  }
}

/** Every change is in the append-only file at once and on the disk within a second; nothing is ever evicted. */
export function serverArgs(dir: string, socketPath: string): string[] {
  const settings = {
    port: '0',
    unixsocket: socketPath,
    unixsocketperm: '700',
    dir,
    appendonly: 'yes',
    appendfsync: 'everysec',
    save: '',
    'maxmemory-policy': 'noeviction',
    daemonize: 'no',
  }
  return Object.entries(settings).flatMap(([name, value]) => [`--${name}`, value])
}

/**
 * First ends a server that a crashed Hearth left in this directory: nobody else can have one there, for the directory
 * is ours. Then starts one, and resolves when it has its data loaded.
 * @throws PlatformError `store-unavailable` with the last lines that the server wrote
 */
export async function startServer(
  launcher: Launcher,
  { dir, socketPath }: OwnedDirectory,
  options: ServerOptions,
): Promise<AsyncDisposable & { readonly url: string }> {
  await endLeftover(dir, socketPath, options)
  const server = new PrivateServer(launcher.command(dir, socketPath), dir, socketPath, options)
  try {
    await server.start(options.signal)
  } catch (error) {
    await server[Symbol.asyncDispose]()
    throw error
  }
  return server
}

class PrivateServer implements AsyncDisposable {
  readonly url: string
  readonly #command: LaunchCommand
  readonly #dir: string
  readonly #socketPath: string
  readonly #options: ServerOptions
  readonly #stopped = new AbortController()
  #child: ChildProcess | undefined
  #watch: Promise<void> | undefined

  constructor(command: LaunchCommand, dir: string, socketPath: string, options: ServerOptions) {
    this.url = `unix://${encodeURI(socketPath)}`
    this.#command = command
    this.#dir = dir
    this.#socketPath = socketPath
    this.#options = options
  }

  async start(signal: AbortSignal): Promise<void> {
    this.#watch = this.#watchOver(await this.#launch(signal))
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stopped.abort()
    if (this.#child !== undefined) await this.#end(this.#child)
    await this.#watch
    await Promise.all([this.#socketPath, pidPath(this.#dir)].map((path) => rm(path, { force: true })))
    if (dirname(this.#socketPath) !== this.#dir) await rmdir(dirname(this.#socketPath)).catch(() => {})
  }

  /** Resolves when it has its data loaded; leaves nothing running when it rejects. */
  async #launch(signal: AbortSignal): Promise<ChildProcess> {
    const child = await this.#spawn()
    try {
      await this.#loaded(child, signal)
    } catch (error) {
      await this.#end(child)
      throw error
    }
    child.unref()
    return child
  }

  async #loaded(child: ChildProcess, signal: AbortSignal): Promise<void> {
    let isLoading = false
    for (let waitedMs = 0; ; waitedMs += POLL_MS) {
      if (hasEnded(child)) throw await this.#failure(`${this.#command.program} ended while it started`)
      const answer = await ask(this.#socketPath, 'PING')
      if (answer === 'PONG') return
      if (answer?.startsWith('LOADING') && !isLoading) {
        isLoading = true
        this.#options.onProgress('Redis loads its data')
      }
      if (!isLoading && waitedMs > START_MS) throw await this.#failure(`${this.#command.program} does not answer`)
      await sleep(POLL_MS, signal, this.#options.clock)
    }
  }

  async #end(child: ChildProcess): Promise<void> {
    if (hasEnded(child)) return
    child.ref()
    const ended = exitOf(child)
    using timers = new DisposableStack()
    timers.use(this.#options.clock.after(STOP_MS, () => child.kill('SIGKILL')))
    // NOSAVE is about snapshots: the append-only file is written and synced all the same.
    await ask(this.#socketPath, 'SHUTDOWN', 'NOSAVE')
    if (!hasEnded(child)) child.kill('SIGTERM')
    await ended
  }

  async #spawn(): Promise<ChildProcess> {
    const { program, args, env } = this.#command
    await using log = await open(logPath(this.#dir), this.#child === undefined ? 'w' : 'a', 0o600)
    const child = spawn(program, args, {
      cwd: this.#dir,
      env: { ...process.env, ...env },
      stdio: ['ignore', log.fd, log.fd],
      // A session of its own: Ctrl-C in the terminal must not reach it while running calls still write.
      detached: true,
    })
    this.#child = child
    await new Promise<void>((resolve, reject) => {
      child.once('spawn', resolve)
      // Later ones, from a kill that failed, have no consequence.
      child.on('error', reject)
    }).catch((cause) => {
      throw new PlatformError('store-unavailable', { detail: `${program} does not start`, cause })
    })
    await writeFile(pidPath(this.#dir), String(child.pid))
    return child
  }

  /** Starts it again when it dies. The connections of the store come back by themselves. */
  async #watchOver(first: ChildProcess): Promise<void> {
    const signal = this.#stopped.signal
    for (let child = first; ;) {
      await exitOf(child)
      if (signal.aborted) return
      this.#options.onProgress(`Redis ended (${child.signalCode ?? `code ${child.exitCode}`}) and is started again`)
      try {
        await sleep(RESTART_MS, signal, this.#options.clock)
        await rm(this.#socketPath, { force: true })
        child = await this.#launch(signal)
      } catch (error) {
        if (!signal.aborted) this.#options.onProgress(error instanceof Error ? error.message : String(error))
      }
    }
  }

  async #failure(what: string): Promise<PlatformError> {
    const log = await readFile(logPath(this.#dir), 'utf8').catch(() => '')
    const lines = log.trim().split('\n').slice(-3).join(' | ')
    return new PlatformError('store-unavailable', { detail: `${what}: ${lines || 'it wrote nothing'}` })
  }
}

async function endLeftover(
  dir: string,
  socketPath: string,
  { onProgress, clock, signal }: ServerOptions,
): Promise<void> {
  const pid = Number(await readFile(pidPath(dir), 'utf8').catch(() => ''))
  if ((await ask(socketPath, 'PING')) !== undefined) {
    onProgress('A Redis that an earlier Hearth left behind is shut down')
    await ask(socketPath, 'SHUTDOWN', 'NOSAVE')
  }
  for (let waitedMs = 0; await isServer(pid, socketPath); waitedMs += POLL_MS) {
    // It hangs, or it cannot write: then it did not take the command.
    if (waitedMs === STOP_MS / 2) process.kill(pid, 'SIGTERM')
    if (waitedMs === STOP_MS) process.kill(pid, 'SIGKILL')
    await sleep(POLL_MS, signal, clock)
  }
  await rm(socketPath, { force: true })
}

/** Whether the pid is still that server and not a later process: Redis shows its socket in its command line. */
async function isServer(pid: number, socketPath: string): Promise<boolean> {
  if (!(pid > 0)) return false
  const commandLine = await readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => '')
  return commandLine.includes(socketPath)
}

function hasEnded(child: ChildProcess): boolean {
  return child.exitCode !== null || child.signalCode !== null
}

function exitOf(child: ChildProcess): Promise<void> {
  return new Promise((resolve) => {
    if (hasEnded(child)) resolve()
    else child.once('exit', () => resolve())
  })
}

function pidPath(dir: string): string {
  return join(dir, 'redis.pid')
}

function logPath(dir: string): string {
  return join(dir, 'redis.log')
}
