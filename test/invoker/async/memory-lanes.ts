// Lanes, functions, records and dead letters in memory, for tests of the consumer; the real ones are tested with it in
// consumer-on-redis.test.ts and test/e2e.
import type { DeadLetter, DeadLetters } from '#core/dead-letter'
import type { PlatformError } from '#core/errors'
import type { FunctionRecord, FunctionVersion } from '#core/function'
import type { FunctionStore } from '#core/function-store'
import { deliveryLaneOf, type FunctionName, type InvocationId, type LaneName, newInvocationId } from '#core/ids'
import type { Claim, LaneLimits, Lanes, LaneState, QueuedInvocation } from '#core/queue'
import type { InvocationRecord, RecordStore, StoredLogLine } from '#core/record'
import { retryPolicyOf } from '#core/spec'
import type { ManualClock } from '#test/invoker/manual-clock'

interface Job {
  readonly invocation: QueuedInvocation
  readonly attempt: number
  readonly takeovers: number
}

interface Held {
  readonly job: Job
  readonly lost: AbortController
  readonly cancelled: AbortController
}

export class MemoryLanes implements Lanes {
  readonly #clock: ManualClock
  readonly #records: MemoryRecords
  readonly #waiting = new Map<LaneName, Job[]>()
  readonly #listeners = new Set<(name: LaneName) => void>()
  readonly held = new Map<InvocationId, Held>()
  readonly limits = new Map<LaneName, LaneLimits>()
  readonly completed: InvocationId[] = []
  readonly retries: number[] = []
  readonly releases: number[] = []
  /** Most that were held of a lane at the same time. */
  readonly peaks = new Map<LaneName, number>()
  /** Called before each step of a claim or an add; a throw makes it fail. */
  onStep: (step: 'add' | 'complete' | 'retry', id: InvocationId) => void = () => undefined
  takes = 0
  takenAlong = 0

  constructor(clock: ManualClock, records: MemoryRecords) {
    this.#clock = clock
    this.#records = records
  }

  async add(invocation: QueuedInvocation): Promise<void> {
    this.onStep('add', invocation.id)
    if (await this.has(laneOf(invocation), invocation.id)) return
    this.#put({ invocation, attempt: 1, takeovers: 0 })
  }

  async addMany(invocations: readonly QueuedInvocation[]): Promise<readonly (PlatformError | undefined)[]> {
    for (const invocation of invocations) await this.add(invocation)
    return invocations.map(() => undefined)
  }

  async take(name: LaneName): Promise<Claim | undefined> {
    this.takes += 1
    await Promise.resolve()
    return this.#next(name)
  }

  async limit(name: LaneName, limits: LaneLimits): Promise<void> {
    this.limits.set(name, limits)
  }

  async cancel(name: LaneName, id: InvocationId): Promise<'removed' | 'told' | 'absent'> {
    const held = this.held.get(id)
    if (held !== undefined) {
      held.cancelled.abort()
      return 'told'
    }
    const jobs = this.#waiting.get(name) ?? []
    const index = jobs.findIndex(({ invocation }) => invocation.id === id)
    if (index < 0) return 'absent'
    jobs.splice(index, 1)
    return 'removed'
  }

  async has(name: LaneName, id: InvocationId): Promise<boolean> {
    const held = this.held.get(id)
    if (held !== undefined && laneOf(held.job.invocation) === name) return true
    return this.#waiting.get(name)?.some(({ invocation }) => invocation.id === id) === true
  }

  listen(onBell: (name: LaneName) => void): AsyncDisposable {
    this.#listeners.add(onBell)
    for (const name of this.#waiting.keys()) this.#ring(name)
    return { [Symbol.asyncDispose]: async () => void this.#listeners.delete(onBell) }
  }

  async state(name: LaneName): Promise<LaneState> {
    return { waiting: this.#waiting.get(name)?.length ?? 0, delayed: 0, running: this.#running(name) }
  }

  async states(): Promise<ReadonlyMap<LaneName, LaneState>> {
    const names = [...this.#waiting.keys()]
    return new Map(await Promise.all(names.map(async (name) => [name, await this.state(name)] as const)))
  }

  async remove(name: FunctionName): Promise<void> {
    this.#waiting.delete(name)
    this.#waiting.delete(deliveryLaneOf(name))
  }

  /** What holds it has died, or was cut off for too long: it is told so, and another one may take it. */
  takeOver(id: InvocationId): void {
    const held = this.held.get(id)
    if (held === undefined) throw new Error('it is not held')
    this.held.delete(id)
    held.lost.abort(new Error('the lease is lost'))
    const { job } = held
    this.#put({ ...job, attempt: job.attempt + 1, takeovers: job.takeovers + 1 })
  }

  #running(name: LaneName): number {
    return [...this.held.values()].filter(({ job }) => laneOf(job.invocation) === name).length
  }

  #next(name: LaneName): Claim | undefined {
    const most = this.limits.get(name)?.concurrency ?? 0
    if (most > 0 && this.#running(name) >= most) return undefined
    const job = this.#waiting.get(name)?.shift()
    if (job === undefined) return undefined
    const claim = this.#claim(job)
    // Bells come again while there is work that nobody takes.
    if ((this.#waiting.get(name)?.length ?? 0) > 0) this.#clock.after(20, () => this.#ring(name))
    this.peaks.set(name, Math.max(this.peaks.get(name) ?? 0, this.#running(name)))
    return claim
  }

  #put(job: Job): void {
    const name = laneOf(job.invocation)
    const jobs = this.#waiting.get(name)
    if (jobs === undefined) this.#waiting.set(name, [job])
    else jobs.push(job)
    this.#ring(name)
  }

  #ring(name: LaneName): void {
    if ((this.#waiting.get(name)?.length ?? 0) > 0) for (const listener of this.#listeners) listener(name)
  }

  #claim(job: Job): Claim {
    const { invocation } = job
    const { id } = invocation
    const held: Held = { job, lost: new AbortController(), cancelled: new AbortController() }
    this.held.set(id, held)
    let ended = false
    const end = (): void => {
      if (ended) throw new Error('a claim was ended twice')
      ended = true
      held.lost.signal.throwIfAborted()
      this.held.delete(id)
      const name = laneOf(invocation)
      if ((this.limits.get(name)?.concurrency ?? 0) > 0) setImmediate(() => this.#ring(name))
    }
    const later = (delayMs: number, changed: Partial<Job>): void => {
      this.#clock.after(delayMs, () => this.#put({ ...job, ...changed }))
    }
    const complete = (record?: InvocationRecord): void => {
      this.onStep('complete', id)
      if (record !== undefined && !held.lost.signal.aborted) this.#records.saveNow(record)
      end()
      this.completed.push(id)
    }
    return {
      invocation,
      attempt: job.attempt,
      takeovers: job.takeovers,
      lost: held.lost.signal,
      cancelled: held.cancelled.signal,
      complete: async (record) => complete(record),
      completeAndTake: async (record) => {
        complete(record)
        const next = this.#next(laneOf(invocation))
        if (next !== undefined) this.takenAlong += 1
        return next
      },
      retry: async (delayMs, _reason, changed) => {
        this.onStep('retry', id)
        end()
        this.retries.push(delayMs)
        later(delayMs, { attempt: job.attempt + 1, invocation: { ...invocation, ...changed } })
      },
      release: async (delayMs) => {
        end()
        this.releases.push(delayMs)
        later(delayMs, {})
      },
    }
  }
}

function laneOf({ function: name, delivery }: QueuedInvocation): LaneName {
  return delivery === undefined ? name : deliveryLaneOf(name)
}

export class MemoryFunctions implements FunctionStore {
  /** The newest last. */
  readonly #versions = new Map<FunctionName, FunctionVersion[]>()
  readonly #listeners = new Set<(name: FunctionName | undefined) => void>()

  put(version: FunctionVersion): void {
    this.#versions.set(version.function, [...(this.#versions.get(version.function) ?? []), version])
    for (const listener of this.#listeners) listener(version.function)
  }

  async get(name: FunctionName): Promise<FunctionRecord | undefined> {
    const live = this.#versions.get(name)?.at(-1)?.number
    return live === undefined ? undefined : { name, live, createdAt: 0, updatedAt: 0 }
  }

  async version(name: FunctionName, number: number): Promise<FunctionVersion | undefined> {
    return this.#versions.get(name)?.findLast((version) => version.number === number)
  }

  async remove(name: FunctionName): Promise<boolean> {
    const was = this.#versions.delete(name)
    for (const listener of this.#listeners) listener(name)
    return was
  }

  onChange(listener: (name: FunctionName | undefined) => void): Disposable {
    this.#listeners.add(listener)
    return { [Symbol.dispose]: () => void this.#listeners.delete(listener) }
  }

  list(): never {
    throw new Error('not of use here')
  }

  versions(): never {
    throw new Error('not of use here')
  }

  deploy(): never {
    throw new Error('not of use here')
  }
}

export class MemoryRecords implements RecordStore {
  readonly records = new Map<InvocationId, InvocationRecord>()
  /** Every state that was written, in order. */
  readonly states: string[] = []
  readonly lines: StoredLogLine[] = []
  /** Called before a save; a throw makes it fail. */
  onSave: (record: InvocationRecord) => void = () => undefined

  write(record: InvocationRecord): void {
    const before = this.records.get(record.id)
    // As the store has it (store/records/precedence.ts).
    if (before !== undefined && isFinal(before) && !isFinal(record)) return
    if (before !== undefined && rankOf(before) > rankOf(record)) return
    this.records.set(record.id, record)
    this.states.push(record.state)
  }

  writeLogs(lines: readonly StoredLogLine[]): void {
    this.lines.push(...lines)
  }

  async save(record: InvocationRecord): Promise<void> {
    this.saveNow(record)
  }

  saveNow(record: InvocationRecord): void {
    this.onSave(record)
    this.write(record)
  }

  async flush(): Promise<void> {}

  async get(id: InvocationId): Promise<InvocationRecord | undefined> {
    return this.records.get(id)
  }

  list(): never {
    throw new Error('not of use here')
  }

  logsOf(): never {
    throw new Error('not of use here')
  }

  logsOfFunction(): never {
    throw new Error('not of use here')
  }

  follow(): never {
    throw new Error('not of use here')
  }

  onSettled(): never {
    throw new Error('not of use here')
  }

  followLogs(): never {
    throw new Error('not of use here')
  }
}

export class MemoryDeadLetters implements DeadLetters {
  readonly letters = new Map<InvocationId, DeadLetter>()
  /** Called before an add; a throw makes it fail. */
  onAdd: (letter: DeadLetter) => void = () => undefined

  async add(letter: DeadLetter): Promise<void> {
    this.onAdd(letter)
    if (!this.letters.has(letter.invocation.id)) this.letters.set(letter.invocation.id, letter)
  }

  async get(_name: FunctionName, id: InvocationId): Promise<DeadLetter | undefined> {
    return this.letters.get(id)
  }

  list(): never {
    throw new Error('not of use here')
  }

  remove(): never {
    throw new Error('not of use here')
  }

  purge(): never {
    throw new Error('not of use here')
  }

  count(): never {
    throw new Error('not of use here')
  }

  counts(): never {
    throw new Error('not of use here')
  }
}

/** As the gateway accepts one. */
export function queued(
  version: FunctionVersion,
  target: string,
  changes: Partial<QueuedInvocation> = {},
): QueuedInvocation {
  return {
    id: newInvocationId(),
    function: version.function,
    version: version.number,
    trigger: 'async',
    cause: {},
    request: { method: 'POST', target, origin: 'http://test', headers: [], body: new Uint8Array() },
    acceptedAt: 0,
    retry: retryPolicyOf(version.spec),
    priority: 0,
    ...changes,
  }
}

function isFinal({ state }: InvocationRecord): boolean {
  return state !== 'queued' && state !== 'running'
}

function rankOf({ attempts, redeliveries = 0 }: InvocationRecord): number {
  return 1000 * redeliveries + attempts.length
}
