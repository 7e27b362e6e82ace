// One invocation, from its acceptance to its completion: limits → slot → run → timings. Where the slot comes from is
// pool/; what may happen to a call in a sandbox is sandbox/guarded-sandbox.ts. Never touches Redis.
import type { Clock } from '#core/clock'
import { PlatformError } from '#core/errors'
import type { FunctionVersion, RuntimeName } from '#core/function'
import type { FunctionName, VersionNumber } from '#core/ids'
import type { HeaderList, Invocation, Start } from '#core/invocation'
import type {
  Completion,
  DriverSandboxes,
  DriverStatus,
  FunctionActivity,
  InvocationSink,
  Invoker,
} from '#core/invoker'
import { checkBodySize, checkHeaders, type RequestLimits } from '#core/limits'
import type { Outcome } from '#core/outcome'
import type { StopSignal } from '#core/stop-signal'

import { type BodyLimit, countBody, type CountedBody } from './counted-body.ts'
import type { Admission, Lease } from './pool/member.ts'
import { SandboxPool } from './pool/pool.ts'
import { StartLog } from './pool/start-log.ts'
import type { AbsentDriver } from './pool/starter.ts'
import type { SandboxDriver } from './sandbox/driver.ts'

export interface DispatcherOptions {
  readonly clock: Clock
  readonly limits: RequestLimits
  readonly drivers: readonly SandboxDriver[]
  readonly absent: readonly AbsentDriver[]
  readonly pool: SandboxPool
}

export class Dispatcher implements Invoker {
  readonly #clock: Clock
  readonly #limits: RequestLimits
  readonly #drivers: readonly SandboxDriver[]
  readonly #absent: readonly AbsentDriver[]
  readonly #pool: SandboxPool
  readonly #starts = new Map<FunctionName, StartLog>()

  constructor({ clock, limits, drivers, absent, pool }: DispatcherOptions) {
    this.#clock = clock
    this.#limits = limits
    this.#drivers = drivers
    this.#absent = absent
    this.#pool = pool
  }

  invoke(invocation: Invocation, sink: InvocationSink, signal: StopSignal): Promise<Completion> {
    try {
      const limit = this.#check(invocation)
      if (limit === undefined) return this.#admit(invocation, sink, signal)
      return this.#admitCounted(countBody(invocation, limit, signal), sink, signal)
    } catch (thrown) {
      return Promise.reject(thrown)
    }
  }

  hasRoom(_name: FunctionName, version: FunctionVersion): boolean {
    return this.room(version) > 0
  }

  /** How many more calls of this version would start at once, or with a start that is worth it. */
  room(version: FunctionVersion): number {
    return this.#pool.room(version)
  }

  /** Calls `listener` whenever there may be more room. It is called often, and must be quick. */
  onRoom(listener: () => void): Disposable {
    return this.#pool.onRoom(listener)
  }

  prepare(version: FunctionVersion): void {
    this.#pool.prepare(version)
  }

  activity(live: FunctionVersion): FunctionActivity {
    const log = this.#starts.get(live.function) ?? new StartLog()
    return { ...this.#pool.activity(live), starts: log.counts, lastStarts: log.last }
  }

  sandboxes(): readonly DriverSandboxes[] {
    return this.#pool.sandboxes()
  }

  drivers(): readonly DriverStatus[] {
    const on = this.#drivers.map(({ name, detail }) => ({ name, on: true, detail }) as const)
    return [...on, ...this.#absent.map(({ name, reason }) => ({ name, on: false, reason }) as const)]
  }

  retire(name: FunctionName, live: VersionNumber | undefined): void {
    this.#pool.retire(name, live)
    if (live === undefined) this.#starts.delete(name)
  }

  /** As SandboxPool.drain. */
  drain(drainMs: number): Promise<void> {
    return this.#pool.drain(drainMs)
  }

  /** @returns the driver's limit for a streamed body; whoever made the stream counts up to the limit of all drivers */
  #check({ request, version: { spec } }: Invocation): BodyLimit | undefined {
    checkHeaders(request.headers, this.#limits)
    const whole = request.body instanceof Uint8Array ? request.body.length : undefined
    if (whole === 0) return undefined
    if (whole !== undefined) checkBodySize(whole, this.#limits)
    const bytes = whole ?? declaredLength(request.headers)
    const limit = this.#driverLimit(spec.runtime)
    if (limit !== undefined && bytes > limit.bytes) throw limit.refusal(bytes)
    return whole === undefined ? limit : undefined
  }

  /** Undefined where the limit of all drivers is lower. */
  #driverLimit(runtime: RuntimeName): BodyLimit | undefined {
    const driver = this.#drivers.find(({ capabilities }) => capabilities.runtimes.includes(runtime))
    if (driver === undefined || driver.capabilities.maxBodyBytes >= this.#limits.maxBodyBytes) return undefined
    const limit = driver.capabilities.maxBodyBytes
    const refusal = (received: number | 'more'): PlatformError =>
      new PlatformError('payload-too-large', {
        detail: `a body for a ${runtime} function has at most ${limit} bytes (the ${driver.name} driver): received ${received}`,
        members: { limit },
      })
    return { bytes: limit, refusal }
  }

  async #admitCounted(counted: CountedBody, sink: InvocationSink, caller: StopSignal): Promise<Completion> {
    const { invocation, signal } = counted
    const completion = await this.#admit(invocation, sink, signal)
    if (completion.outcome.kind === 'cancelled' && signal.aborted && !caller.aborted) throw signal.reason
    return completion
  }

  /** A warm call waits for nothing but its outcome: each promise more would cost it about 0.1 µs. */
  #admit(invocation: Invocation, sink: InvocationSink, signal: StopSignal): Promise<Completion> {
    const lease = this.#pool.take(invocation.version)
    return lease === undefined ? this.#waitAndRun(invocation, sink, signal) : this.#run(lease, invocation, sink, signal)
  }

  async #waitAndRun(invocation: Invocation, sink: InvocationSink, signal: StopSignal): Promise<Completion> {
    const { version } = invocation
    const since = this.#clock.monotonic()
    const admission = await this.#admission(version, signal)
    if (admission === undefined) return neverStarted({ kind: 'cancelled' }, this.#clock.monotonic() - since)
    if (admission.kind === 'lease') return this.#run(admission.lease, invocation, sink, signal)
    const { outcome, start } = admission
    this.#started(version.function, start, sink)
    return { outcome, start, timings: { queueMs: start.queueMs, startMs: start.startMs, runMs: 0 } }
  }

  /** Undefined when the call was cancelled while it waited. */
  async #admission(version: FunctionVersion, signal: StopSignal): Promise<Admission | undefined> {
    try {
      return await this.#pool.wait(version, signal)
    } catch (thrown) {
      if (signal.aborted && thrown === signal.reason) return undefined
      throw thrown
    }
  }

  #run(lease: Lease, invocation: Invocation, sink: InvocationSink, signal: StopSignal): Promise<Completion> {
    const { start } = lease
    const { version } = invocation
    try {
      this.#started(version.function, start, sink)
      return lease.invoke(invocation, sink, signal).then((outcome) => this.#completion(version, lease, outcome))
    } catch (thrown) {
      lease[Symbol.dispose]()
      throw thrown
    }
  }

  #completion(version: FunctionVersion, { start, startedAt }: Lease, outcome: Outcome): Completion {
    const { queueMs, startMs } = start
    const runMs = this.#clock.monotonic() - startedAt
    if (version.spec.targetLatencyMs > 0) this.#pool.observe(version, queueMs + startMs + runMs, runMs)
    return { outcome, start, timings: { queueMs, startMs, runMs } }
  }

  #started(name: FunctionName, start: Start, sink: InvocationSink): void {
    let log = this.#starts.get(name)
    if (log === undefined) this.#starts.set(name, (log = new StartLog()))
    log.add(start, this.#clock.now())
    sink.started(start)
  }
}

/** Of a streamed body, 0 when its sender did not say. */
function declaredLength(headers: HeaderList): number {
  return Number(headers.find(([name]) => name === 'content-length')?.[1] ?? 0)
}

/** Its start is told as warm: none was made for it. */
function neverStarted(outcome: Outcome, queueMs: number): Completion {
  const start = { kind: 'warm', queueMs, startMs: 0 } as const
  return { outcome, start, timings: { queueMs, startMs: 0, runMs: 0 } }
}
