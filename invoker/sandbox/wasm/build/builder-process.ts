// Runs one build in a process of its own: hostile top-level code can loop or eat memory, and only a kill ends that.
import { type ChildProcess, fork } from 'node:child_process'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

import type { FileSet } from '#core/artifact'
import { buildFailed, type BuildProgress } from '#core/build'
import type { Clock } from '#core/clock'
import { PlatformError } from '#core/errors'

import type { BuildJob, BuildMessage } from './job.ts'
import { residentMiB } from './resident.ts'

export interface ProcessLimits {
  readonly timeoutMs: number
  readonly memoryMiB: number
}

export interface ProcessContext {
  readonly limits: ProcessLimits
  readonly clock: Clock
  /** Where node keeps compiled code of the build tools between builds. */
  readonly compileCacheDir: string
  readonly onProgress: (progress: BuildProgress) => void
}

const CHILD = join(import.meta.dirname, 'child.ts')
const POLL_MS = 100

/**
 * The artifact. On abort, timeout and overrun the whole process group is killed and its directory removed.
 * @throws PlatformError `build-failed` or `internal`; the signal's reason when aborted
 */
export async function runBuild(job: BuildJob, context: ProcessContext, signal: AbortSignal): Promise<FileSet> {
  signal.throwIfAborted()
  const dir = await mkdtemp(join(tmpdir(), 'hearth-build-'))
  try {
    return await runIn(dir, job, context, signal)
  } finally {
    await rm(dir, { recursive: true, force: true })
  }
}

async function runIn(dir: string, job: BuildJob, context: ProcessContext, signal: AbortSignal): Promise<FileSet> {
  const child = fork(CHILD, [], {
    cwd: dir,
    detached: true,
    env: { NODE_COMPILE_CACHE: context.compileCacheDir },
    execArgv: ['--max-old-space-size=512'],
    serialization: 'advanced',
    stdio: ['ignore', 'ignore', 'pipe', 'ipc'],
  })
  const { promise, resolve, reject } = Promise.withResolvers<FileSet>()
  const onAbort = (): void => reject(signal.reason)
  signal.addEventListener('abort', onAbort, { once: true })
  const checkMemory = async (): Promise<void> => {
    const used = await residentMiB(child.pid ?? 0)
    if (used > context.limits.memoryMiB) reject(buildFailed([{ message: tooBig(context.limits.memoryMiB) }]))
  }
  using timeout = context.clock.after(context.limits.timeoutMs, () =>
    reject(buildFailed([{ message: tooSlow(context.limits.timeoutMs) }])),
  )
  using poll = context.clock.every(POLL_MS, () => {
    void checkMemory()
  })
  void [timeout, poll]
  try {
    listen(child, context.onProgress, { resolve, reject })
    child.send(job)
    return await promise
  } finally {
    signal.removeEventListener('abort', onAbort)
    await killGroup(child)
  }
}

function listen(
  child: ChildProcess,
  onProgress: ProcessContext['onProgress'],
  { resolve, reject }: { resolve: (files: FileSet) => void; reject: (error: unknown) => void },
): void {
  let stderr = ''
  child.stderr?.setEncoding('utf8').on('data', (text: string) => {
    stderr = (stderr + text).slice(-4000)
  })
  child.on('error', reject)
  child.once('close', (code, signal) => {
    reject(
      new PlatformError('internal', {
        detail: 'the builder process ended without a result',
        cause: new Error(`exit code ${code}, signal ${signal}: ${stderr}`),
      }),
    )
  })
  child.on('message', (message: BuildMessage) => {
    switch (message.kind) {
      case 'progress':
        return onProgress(message.progress)
      case 'built':
        return resolve(message.artifact)
      case 'refused':
        return reject(buildFailed(message.diagnostics))
      case 'broken':
        return reject(new PlatformError('internal', { detail: 'a build tool failed', cause: new Error(message.error) }))
      default:
        return message satisfies never
    }
  })
}

/** Resolves when the process is gone; esbuild's own process is in the group too. */
async function killGroup(child: ChildProcess): Promise<void> {
  if (child.pid === undefined) return
  const closed = child.exitCode !== null || child.signalCode !== null ? undefined : Promise.withResolvers<void>()
  if (closed !== undefined) child.once('exit', () => closed.resolve())
  try {
    process.kill(-child.pid, 'SIGKILL')
  } catch {
    // ESRCH: the group is gone.
  }
  await closed?.promise
}

function tooSlow(ms: number): string {
  return `the build took longer than ${ms / 1000} s and was stopped: code at the top level of a module runs while it is built, so it must end; does it loop or wait for something?`
}

function tooBig(memoryMiB: number): string {
  return `the build used more than ${memoryMiB} MiB of memory and was stopped: code at the top level of a module runs while it is built`
}
