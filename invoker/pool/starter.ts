// Starts sandboxes: picks the driver, makes a sandbox and gives it code. Never decides whether to.
import type { LocalFile } from '#core/artifact'
import type { Diagnostic } from '#core/build'
import type { Clock } from '#core/clock'
import { PlatformError } from '#core/errors'
import type { FunctionVersion, RuntimeName } from '#core/function'
import type { DriverName } from '#core/invoker'
import type { Outcome } from '#core/outcome'
import type { ArtifactCache } from '#invoker/artifacts'
import type { Sandbox, SandboxDriver, SandboxSpec } from '#invoker/sandbox/driver'
import { GuardedSandbox } from '#invoker/sandbox/guarded-sandbox'
import { Semaphore } from '#invoker/semaphore'

/** A driver that is off, and why. */
export interface AbsentDriver {
  readonly name: DriverName
  readonly runtimes: readonly RuntimeName[]
  /** As in DriverStatus. */
  readonly reason: string
}

export interface StarterOptions {
  readonly drivers: readonly SandboxDriver[]
  readonly absent: readonly AbsentDriver[]
  readonly artifacts: Pick<ArtifactCache, 'fetch'>
  readonly clock: Clock
  /** Sandboxes being started at the same time: more than a few gain nothing on one machine. */
  readonly maxStarts: number
  /** For creating a sandbox, and again for the user's top-level code. */
  readonly startTimeoutMs: number
  readonly stopGraceMs: number
  readonly probeMs: number
}

export type Started =
  | { readonly kind: 'ready'; readonly sandbox: GuardedSandbox }
  /** The code is to blame: what the calls that wanted it come to. */
  | { readonly kind: 'unloadable'; readonly outcome: Outcome; readonly diagnostic?: Diagnostic }

export class Starter {
  readonly #options: StarterOptions
  readonly #starts: Semaphore

  constructor(options: StarterOptions) {
    this.#options = options
    this.#starts = new Semaphore(options.maxStarts)
  }

  /** @throws PlatformError `driver-unavailable` */
  driverFor(runtime: RuntimeName): SandboxDriver {
    const driver = this.#options.drivers.find(({ capabilities }) => capabilities.runtimes.includes(runtime))
    if (driver !== undefined) return driver
    const absent = this.#options.absent.find(({ runtimes }) => runtimes.includes(runtime))
    throw new PlatformError('driver-unavailable', {
      detail: `the runtime ${runtime} needs ${absent === undefined ? 'a driver that is not configured' : `the ${absent.name} driver: ${absent.reason}`}`,
      members: { runtime },
    })
  }

  /** Calls at the same time in one sandbox of this spec. @throws PlatformError `driver-unavailable` */
  slotsOf(spec: SandboxSpec): number {
    return Math.min(spec.concurrency, this.driverFor(spec.runtime).capabilities.maxConcurrency)
  }

  /**
   * A sandbox with this version's code. On abort nothing is left behind.
   * @throws PlatformError `driver-unavailable`, `sandbox-unavailable`, `internal`
   */
  async start(version: FunctionVersion, signal: AbortSignal): Promise<Started> {
    const fetched = this.#options.artifacts.fetch(version.artifact, signal)
    // Looked at below; until then a rejection must not count as unhandled.
    fetched.catch(() => undefined)
    return this.#load(await this.create(version.spec, signal), version, fetched, signal)
  }

  /** A generic sandbox. As `start` else. */
  async create(spec: SandboxSpec, signal: AbortSignal): Promise<GuardedSandbox> {
    const driver = this.driverFor(spec.runtime)
    using _permit = await this.#starts.acquire(signal)
    return this.#guard(await this.#create(driver, spec, signal), spec)
  }

  /** Gives a generic sandbox this version's code. As `start` else. */
  specialize(sandbox: GuardedSandbox, version: FunctionVersion, signal: AbortSignal): Promise<Started> {
    return this.#load(sandbox, version, this.#options.artifacts.fetch(version.artifact, signal), signal)
  }

  async #load(
    sandbox: GuardedSandbox,
    version: FunctionVersion,
    fetched: Promise<readonly LocalFile[]>,
    signal: AbortSignal,
  ): Promise<Started> {
    const kill = (): void => void sandbox[Symbol.asyncDispose]()
    signal.addEventListener('abort', kill, { once: true })
    try {
      const code = { function: version.function, version: version.number, spec: version.spec, files: await fetched }
      const loaded = await sandbox.load(code, this.#options.startTimeoutMs, signal)
      signal.throwIfAborted()
      if (loaded.loaded) return { kind: 'ready', sandbox }
      const { loaded: _, ...why } = loaded
      return { kind: 'unloadable', ...why }
    } catch (thrown) {
      await sandbox[Symbol.asyncDispose]()
      throw thrown
    } finally {
      signal.removeEventListener('abort', kill)
    }
  }

  #guard(sandbox: Sandbox, spec: SandboxSpec): GuardedSandbox {
    const { clock, stopGraceMs, probeMs } = this.#options
    const maxConcurrency = this.slotsOf(spec)
    return new GuardedSandbox(sandbox, { clock, stopGraceMs, probeMs, maxConcurrency, memoryMiB: spec.memoryMiB })
  }

  async #create(driver: SandboxDriver, spec: SandboxSpec, signal: AbortSignal): Promise<Sandbox> {
    const { clock, startTimeoutMs } = this.#options
    const giveUp = new AbortController()
    const abandon = (): void => giveUp.abort(signal.reason)
    signal.addEventListener('abort', abandon, { once: true })
    using _timer = clock.after(startTimeoutMs, () => giveUp.abort(tooSlow(driver.name, startTimeoutMs)))
    const creating = driver.create(spec, giveUp.signal)
    const givenUp = Promise.withResolvers<never>()
    giveUp.signal.addEventListener('abort', () => givenUp.reject(giveUp.signal.reason), { once: true })
    try {
      return await Promise.race([creating, givenUp.promise])
    } catch (thrown) {
      // Whatever still comes of it is thrown away.
      void creating.then(
        (late) => late[Symbol.asyncDispose](),
        () => undefined,
      )
      throw thrown
    } finally {
      signal.removeEventListener('abort', abandon)
    }
  }
}

function tooSlow(driver: DriverName, limitMs: number): PlatformError {
  return new PlatformError('sandbox-unavailable', {
    detail: `a sandbox was expected within ${limitMs} ms: the ${driver} driver gave none`,
  })
}

/** What those who wait are told after `attempts` starts in a row that failed. */
export function notStarted(cause: PlatformError, attempts: number): PlatformError {
  if (cause.code === 'driver-unavailable') return cause
  return new PlatformError('sandbox-unavailable', {
    detail: `a sandbox was to be started: ${attempts} attempts in a row failed, the last with "${cause.message}"`,
    cause,
    retryAfterS: 1,
  })
}
