// A real `hearth serve` as a child process: on a free port, with a data directory and a session of its own.
import { spawn, type ChildProcess, type ChildProcessByStdio } from 'node:child_process'
import { once } from 'node:events'
import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { Readable } from 'node:stream'

import type { Ready } from '#cli/serve/banner'
import { sleep } from '#core/clock'
import { ROOT_DIR } from '#test/repo/sources'

const MAIN = join(ROOT_DIR, 'cli', 'main.ts')
const READY_MS = 120_000

export interface RunningHearth extends AsyncDisposable {
  readonly ready: Ready
  readonly url: string
  readonly token: string
  readonly env: Readonly<Record<string, string>>
  /** What it wrote to standard error so far. */
  readonly log: () => string
  /** As Ctrl-C in a terminal: to the whole process group. */
  readonly interrupt: () => void
  readonly kill: (signal: NodeJS.Signals) => void
  /** Resolves with the exit code; null after a deadly signal. */
  readonly exited: Promise<number | null>
  /** A call of the management API. */
  readonly api: (path: string, init?: RequestInit) => Promise<Response>
  readonly fn: (path: string, init?: RequestInit) => Promise<Response>
}

/**
 * @param env needs HEARTH_DATA_DIR
 * @param through the program of this checkout, or npm around it as in `npm start`
 * @throws Error with the log when it ends before it is ready
 */
export async function startHearth(
  env: Readonly<Record<string, string>>,
  through: 'program' | 'npm' = 'program',
): Promise<RunningHearth> {
  const settings: Record<string, string> = { HEARTH_PORT: '0', HEARTH_EXAMPLES: 'off', ...env }
  const { child, output, log } =
    through === 'npm' ? spawnNpmStart(settings) : spawnHearth(['serve', '--json'], settings)
  const exited = exitOf(child)
  const ready = await firstLine(child, output, log)
  const token = settings.HEARTH_ADMIN_TOKEN ?? (await readFile(ready.token, 'utf8')).trim()
  const authorized = (init: RequestInit = {}): RequestInit => {
    const headers = new Headers(init.headers)
    headers.set('authorization', `Bearer ${token}`)
    return { ...init, headers }
  }
  return {
    ready,
    url: ready.url,
    token,
    env: settings,
    log,
    interrupt: () => process.kill(-(child.pid ?? 0), 'SIGINT'),
    kill: (signal) => void child.kill(signal),
    exited,
    api: (path, init) => fetch(`${ready.url}${path}`, authorized(init)),
    fn: (path, init) => fetch(`${ready.url}/fn/${path}`, init),
    async [Symbol.asyncDispose]() {
      if (child.exitCode === null && child.signalCode === null) child.kill('SIGTERM')
      await exited
    },
  }
}

interface Spawned {
  readonly child: ChildProcess
  readonly output: () => string
  readonly log: () => string
}

function spawnHearth(args: readonly string[], env: Readonly<Record<string, string>>): Spawned {
  return collected(spawn(process.execPath, [MAIN, ...args], { ...spawnOptions(env), cwd: '/' }))
}

function spawnNpmStart(env: Readonly<Record<string, string>>): Spawned {
  return collected(spawn('npm', ['start', '--silent', '--', '--json'], { ...spawnOptions(env), cwd: ROOT_DIR }))
}

function spawnOptions(env: Readonly<Record<string, string>>) {
  const stdio: ['ignore', 'pipe', 'pipe'] = ['ignore', 'pipe', 'pipe']
  return { env: { ...bareEnvironment(), ...env }, stdio, detached: true }
}

function collected(child: ChildProcessByStdio<null, Readable, Readable>): Spawned {
  const output: string[] = []
  const errors: string[] = []
  child.stdout.setEncoding('utf8').on('data', (text: string) => output.push(text))
  child.stderr.setEncoding('utf8').on('data', (text: string) => errors.push(text))
  return { child, output: () => output.join(''), log: () => errors.join('') }
}

/** Runs a command of the CLI to its end. */
export async function hearth(
  args: readonly string[],
  env: Readonly<Record<string, string>>,
): Promise<{ readonly code: number | null; readonly stdout: string; readonly stderr: string }> {
  const { child, output, log } = spawnHearth(args, env)
  const code = await exitOf(child)
  return { code, stdout: output(), stderr: log() }
}

async function firstLine(child: ChildProcess, output: () => string, log: () => string): Promise<Ready> {
  const limit = AbortSignal.timeout(READY_MS)
  while (!output().includes('\n')) {
    if (child.exitCode !== null || limit.aborted) throw new Error(`hearth serve did not get ready:\n${log()}`)
    await sleep(20, limit)
  }
  return JSON.parse(output()) as Ready
}

async function exitOf(child: ChildProcess): Promise<number | null> {
  await once(child, 'close')
  return child.exitCode
}

/** Without settings of the developer's own instance, and without the colours that vitest asks for under CI. */
export function bareEnvironment(): NodeJS.ProcessEnv {
  return Object.fromEntries(
    Object.entries(process.env).filter(([name]) => !name.startsWith('HEARTH_') && name !== 'FORCE_COLOR'),
  )
}

/** Command lines of the processes that mention one of the texts. Linux only, as /proc is. */
export async function processesWith(...texts: readonly string[]): Promise<string[]> {
  const pids = (await readdir('/proc')).filter((name) => /^\d+$/.test(name) && name !== String(process.pid))
  const lines = await Promise.all(pids.map((pid) => readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => '')))
  return lines.map((line) => line.replaceAll('\0', ' ')).filter((line) => texts.some((text) => line.includes(text)))
}

/** Asks until the answer is wanted; fails with the last one. */
export async function eventually<T>(ask: () => Promise<T>, wanted: (value: T) => boolean, ms = 15_000): Promise<T> {
  const limit = AbortSignal.timeout(ms)
  for (;;) {
    const value = await ask()
    if (wanted(value)) return value
    if (limit.aborted) throw new Error(`not within ${ms} ms: ${JSON.stringify(value)}`)
    await sleep(50, AbortSignal.timeout(ms))
  }
}
