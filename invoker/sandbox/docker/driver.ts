// Sandboxes as Docker containers: START HERE for this folder. One container runs one function version's code, with the
// agent of its runtime (runtimes/) at the other end of a unix socket.
import { randomUUID } from 'node:crypto'
import { mkdir } from 'node:fs/promises'

import type { BuildProgress } from '#core/build'
import { type Clock, systemClock } from '#core/clock'
import { PlatformError } from '#core/errors'
import { newSandboxId, type SandboxId } from '#core/ids'
import { Semaphore } from '#invoker/semaphore'

import type { DriverCapabilities, Sandbox, SandboxDriver, SandboxSpec } from '../driver.ts'
import { unfitForSockets } from './agent-socket.ts'
import { connectDocker, type Connection, DockerUnavailable } from './connect.ts'
import { createSandbox, type CreationContext } from './create.ts'
import { RuntimeImages } from './images.ts'
import { type ContainerRuntime, RECIPES } from './recipes.ts'
import { removeLeftovers } from './recover.ts'
import { Terminations } from './terminations.ts'

/** More at once are no faster: the daemon's helpers want the processors. */
const PARALLEL_STARTS = 4

export interface DockerDriverOptions {
  /** `unix:///path`, a path, or `tcp://host:port`. The daemon must see the same files as this process. */
  readonly dockerHost: string
  /** For socket files: short, and this installation's alone. Made when it is not there. */
  readonly runtimeDir: string
  /** Names the data directory; containers are labelled with it, and recover() looks for it. */
  readonly installation: string
  /** Images are built when they are first needed, which takes seconds. */
  readonly onProgress: (progress: BuildProgress) => void
  readonly clock?: Clock
}

/** Or why there is none, in words for the start banner. */
export type DockerDriverResult =
  | { readonly on: true; readonly driver: SandboxDriver }
  | { readonly on: false; readonly reason: string }

/** Connects to the daemon. Disposing of the driver ends all its sandboxes. */
export async function createDockerDriver(options: DockerDriverOptions): Promise<DockerDriverResult> {
  const unfit = unfitForSockets(options.runtimeDir)
  if (unfit !== undefined) return { on: false, reason: unfit }
  try {
    const connection = await connectDocker(options.dockerHost)
    await mkdir(options.runtimeDir, { recursive: true, mode: 0o700 })
    const driver = new DockerDriver(connection, options)
    await driver.open()
    return { on: true, driver }
  } catch (error) {
    if (error instanceof DockerUnavailable) return { on: false, reason: error.message }
    throw error
  }
}

class DockerDriver implements SandboxDriver {
  readonly name = 'docker'
  readonly capabilities: DriverCapabilities = {
    runtimes: ['node', 'python'],
    maxConcurrency: 1000,
    maxBodyBytes: 1024 * 1024 * 1024,
  }
  readonly detail: string
  readonly #context: CreationContext
  readonly #images: RuntimeImages
  readonly #starts = new Semaphore(PARALLEL_STARTS)
  readonly #closing = new AbortController()
  readonly #creating = new Set<Promise<Sandbox>>()
  readonly #sandboxes = new Set<Sandbox>()

  constructor({ docker, address, serverVersion }: Connection, options: DockerDriverOptions) {
    const { runtimeDir, installation, onProgress, clock = systemClock } = options
    const process = randomUUID()
    this.detail = `Docker ${serverVersion} at ${address}`
    const terminations = new Terminations(docker, process, clock)
    this.#context = { docker, terminations, clock, runtimeDir, labels: { installation, process } }
    this.#images = new RuntimeImages({ docker, onProgress, clock })
  }

  async open(): Promise<void> {
    await this.#context.terminations.open()
  }

  async create(spec: SandboxSpec, signal: AbortSignal): Promise<Sandbox> {
    const runtime = containerRuntime(spec)
    const either = AbortSignal.any([signal, this.#closing.signal])
    const creating = this.#create(runtime, spec, either)
    this.#creating.add(creating)
    try {
      const sandbox = await creating
      this.#sandboxes.add(sandbox)
      void sandbox.ended.then(() => this.#sandboxes.delete(sandbox))
      return sandbox
    } catch (error) {
      signal.throwIfAborted()
      throw asUnavailable(error)
    } finally {
      this.#creating.delete(creating)
    }
  }

  async recover(signal: AbortSignal): Promise<readonly SandboxId[]> {
    const { docker, runtimeDir, labels } = this.#context
    return removeLeftovers({ docker, runtimeDir, ...labels }, signal)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#closing.abort(new PlatformError('shutting-down', { detail: 'Hearth is ending' }))
    this.#images.close()
    await Promise.allSettled(this.#creating)
    await Promise.all([...this.#sandboxes].map((sandbox) => sandbox[Symbol.asyncDispose]()))
    this.#context.terminations[Symbol.dispose]()
  }

  async #create(
    runtime: ContainerRuntime,
    { memoryMiB, concurrency }: SandboxSpec,
    signal: AbortSignal,
  ): Promise<Sandbox> {
    const image = await aborted(this.#images.ensure(runtime), signal)
    using _permit = await this.#starts.acquire(signal)
    const creation = { id: newSandboxId('docker'), image, runtime, memoryMiB, concurrency }
    try {
      return await createSandbox(creation, this.#context, signal)
    } catch (error) {
      // The image was there when it was looked for: somebody has cleaned up.
      if ((error as { statusCode?: number }).statusCode !== 404) throw error
      this.#images.forget(runtime)
      const rebuilt = await aborted(this.#images.ensure(runtime), signal)
      return createSandbox({ ...creation, image: rebuilt }, this.#context, signal)
    }
  }
}

function containerRuntime({ runtime, memoryMiB }: SandboxSpec): ContainerRuntime {
  if (runtime !== 'node' && runtime !== 'python') {
    throw new PlatformError('driver-unavailable', { detail: `containers run node and python: received ${runtime}` })
  }
  const least = RECIPES[runtime].leastMemoryMiB
  if (memoryMiB >= least) return runtime
  throw new PlatformError('sandbox-unavailable', {
    detail: `memoryMiB of a ${runtime} function must be at least ${least}: received ${memoryMiB}`,
  })
}

/** As `promise`, but rejects with the signal's reason when it aborts first. */
async function aborted<T>(promise: Promise<T>, signal: AbortSignal): Promise<T> {
  signal.throwIfAborted()
  const abort = Promise.withResolvers<never>()
  const onAbort = (): void => abort.reject(signal.reason)
  signal.addEventListener('abort', onAbort, { once: true })
  promise.catch(() => {})
  try {
    return await Promise.race([promise, abort.promise])
  } finally {
    signal.removeEventListener('abort', onAbort)
  }
}

function asUnavailable(error: unknown): PlatformError {
  if (error instanceof PlatformError) return error
  const { json, message } = error as { json?: { message?: string }; message?: string }
  const detail = `the Docker daemon refused to start a container: ${json?.message ?? message ?? String(error)}`
  return new PlatformError('sandbox-unavailable', { detail, cause: error })
}
