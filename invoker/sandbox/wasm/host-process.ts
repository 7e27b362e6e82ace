// The Wasm host process from outside: starts it with as few rights as node can give, starts it again when it died.
import { type ChildProcess, spawn } from 'node:child_process'
import { readFile } from 'node:fs/promises'
import { dirname } from 'node:path'
import type { Duplex } from 'node:stream'

import type { Clock } from '#core/clock'
import { PlatformError } from '#core/errors'
import type { Frame } from '#core/frames'

import { FrameSocket } from '../frame-socket.ts'
import { bundleHost, type HostBundle } from './host-bundle.ts'

export interface HostProcessOptions {
  /** Where the bundle of the host goes. */
  readonly cacheDir: string
  /** What the host may read besides. */
  readonly readableDirs: readonly string[]
  /** Workers kept ready. */
  readonly spares: number
  readonly moduleCacheBytes: number
  /** Resident memory at which the host is killed: the limits of its guests have failed. */
  readonly maxMiB: number
  readonly clock: Clock
}

/** A host that runs. Everything it carries ends with it. */
export interface Host {
  readonly socket: FrameSocket
  /** Resolves when it is gone, with how. */
  readonly gone: Promise<string>
  onFrame: (frame: Frame) => void
}

/** More starts than this in the window, and something is wrong that starting again does not mend. */
const MAX_STARTS = 8
const START_WINDOW_MS = 60_000
const STDERR_BYTES = 4_096
const MEMORY_CHECK_MS = 1_000
const PAGES_PER_MIB = 256

export class HostProcess implements AsyncDisposable {
  readonly #options: HostProcessOptions
  readonly #starts: number[] = []
  #bundle: Promise<HostBundle> | undefined
  #host: Promise<Host> | undefined
  #child: ChildProcess | undefined
  #disposed = false

  constructor(options: HostProcessOptions) {
    this.#options = options
  }

  /**
   * The host that runs, started when there is none.
   * @throws PlatformError `sandbox-unavailable`
   */
  get(): Promise<Host> {
    this.#host ??= this.#start().catch((error: unknown) => {
      this.#host = undefined
      throw error
    })
    return this.#host
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#disposed = true
    const host = await this.#host?.catch(() => undefined)
    this.#child?.kill('SIGKILL')
    await host?.gone
  }

  async #start(): Promise<Host> {
    this.#admit()
    const { cacheDir } = this.#options
    this.#bundle ??= bundleHost(cacheDir)
    const { mainPath, workerPath } = await this.#bundle.catch((cause: unknown) => {
      this.#bundle = undefined
      throw new PlatformError('sandbox-unavailable', { detail: 'the Wasm host could not be bundled', cause })
    })
    if (this.#disposed) throw new PlatformError('shutting-down', { detail: 'the Wasm driver is closed' })
    const child = spawn(process.execPath, this.#arguments(mainPath, workerPath), {
      cwd: '/',
      env: {},
      stdio: ['ignore', 'ignore', 'pipe', 'pipe'],
      // A session of its own: Ctrl-C in the terminal must not reach it while calls still run.
      detached: true,
    })
    this.#child = child
    return this.#connect(child)
  }

  #arguments(mainPath: string, workerPath: string): string[] {
    const { readableDirs, spares, moduleCacheBytes } = this.#options
    const flags = permissions([dirname(mainPath), ...readableDirs])
    return [...flags, mainPath, workerPath, String(spares), String(moduleCacheBytes)]
  }

  #connect(child: ChildProcess): Host {
    let stderr = ''
    child.stderr?.on('data', (chunk: Buffer) => {
      stderr = (stderr + chunk.toString()).slice(-STDERR_BYTES)
    })
    const gone = Promise.withResolvers<string>()
    const watch = this.#watchMemory(child, (resident) => {
      stderr = `it had ${resident} MiB of memory, more than ${this.#options.maxMiB}`
    })
    const onGone = (how: string): void => {
      watch[Symbol.dispose]()
      if (this.#child === child) this.#host = this.#child = undefined
      gone.resolve(stderr === '' ? how : `${how}: ${lastLine(stderr)}`)
    }
    child.once('error', (error) => onGone(error.message))
    child.once('exit', (code, signal) => onGone(signal === null ? `exit code ${code}` : `signal ${signal}`))
    const host: Host = {
      socket: new FrameSocket(child.stdio[3] as Duplex, {
        onFrame: (frame) => host.onFrame(frame),
        onClose: () => child.kill('SIGKILL'),
      }),
      gone: gone.promise,
      onFrame: () => {},
    }
    return host
  }

  #watchMemory(child: ChildProcess, onTooMuch: (residentMiB: number) => void): Disposable {
    const { clock, maxMiB } = this.#options
    const check = async (): Promise<void> => {
      const residentMiB = await residentMemory(child.pid)
      if (residentMiB <= maxMiB) return
      onTooMuch(residentMiB)
      child.kill('SIGKILL')
    }
    return clock.every(MEMORY_CHECK_MS, () => void check())
  }

  #admit(): void {
    const now = this.#options.clock.monotonic()
    while (this.#starts.length > 0 && now - this.#starts[0]! > START_WINDOW_MS) this.#starts.shift()
    if (this.#starts.length >= MAX_STARTS) {
      throw new PlatformError('sandbox-unavailable', {
        detail: `the Wasm host died ${MAX_STARTS} times within ${START_WINDOW_MS / 1000} s`,
        retryAfterS: Math.ceil((this.#starts[0]! + START_WINDOW_MS - now) / 1000),
      })
    }
    this.#starts.push(now)
  }
}

/** MiB; 0 where it cannot be told: not Linux, or the process is gone. */
async function residentMemory(pid: number | undefined): Promise<number> {
  const statm = await readFile(`/proc/${pid}/statm`, 'utf8').catch(() => '0 0')
  return Math.floor(Number(statm.split(' ')[1]) / PAGES_PER_MIB)
}

/** What node is told to let a process do: read these folders, and start threads. */
export function permissions(readableDirs: readonly string[]): string[] {
  return ['--permission', '--allow-worker', ...readableDirs.map((dir) => `--allow-fs-read=${dir}/*`), '--no-warnings']
}

function lastLine(text: string): string {
  return text.trimEnd().split('\n').at(-1) ?? ''
}
