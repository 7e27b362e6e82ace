// Lanes, functions and records in memory, for tests of the consumer; the real ones are tested with it in test/e2e.
import type { FunctionRecord, FunctionVersion } from '#core/function'
import type { FunctionStore } from '#core/function-store'
import { type FunctionName, type InvocationId, newInvocationId } from '#core/ids'
import type { Claim, Lanes, QueuedInvocation } from '#core/queue'
import type { InvocationRecord, RecordStore, StoredLogLine } from '#core/record'

import type { ManualClock } from './manual-clock.ts'

interface Job {
  readonly invocation: QueuedInvocation
  attempt: number
}

export class MemoryLanes implements Lanes {
  readonly #clock: ManualClock
  readonly #waiting = new Map<FunctionName, Job[]>()
  readonly #listeners = new Set<(name: FunctionName) => void>()
  /** Aborting one loses the lease of that invocation. */
  readonly held = new Map<InvocationId, AbortController>()
  readonly completed: InvocationId[] = []
  readonly retries: number[] = []
  readonly releases: number[] = []
  takes = 0
  takenAlong = 0

  constructor(clock: ManualClock) {
    this.#clock = clock
  }

  async add(invocation: QueuedInvocation): Promise<void> {
    this.#put({ invocation, attempt: 1 })
  }

  async take(name: FunctionName): Promise<Claim | undefined> {
    this.takes += 1
    await Promise.resolve()
    const job = this.#waiting.get(name)?.shift()
    return job === undefined ? undefined : this.#claim(job)
  }

  listen(onBell: (name: FunctionName) => void): AsyncDisposable {
    this.#listeners.add(onBell)
    for (const [name, jobs] of this.#waiting) if (jobs.length > 0) onBell(name)
    return { [Symbol.asyncDispose]: async () => void this.#listeners.delete(onBell) }
  }

  async depth(name: FunctionName): Promise<number> {
    return this.#waiting.get(name)?.length ?? 0
  }

  async remove(name: FunctionName): Promise<void> {
    this.#waiting.delete(name)
  }

  #put(job: Job): void {
    const name = job.invocation.function
    this.#waiting.set(name, [...(this.#waiting.get(name) ?? []), job])
    for (const listener of this.#listeners) listener(name)
  }

  #claim(job: Job): Claim {
    const { id } = job.invocation
    const lease = new AbortController()
    this.held.set(id, lease)
    const end = (): void => {
      if (!this.held.delete(id)) throw new Error('a claim was ended twice')
    }
    const later = (delayMs: number, attempt: number): void => {
      this.#clock.after(delayMs, () => this.#put({ ...job, attempt }))
    }
    return {
      invocation: job.invocation,
      attempt: job.attempt,
      lost: lease.signal,
      complete: async () => {
        end()
        this.completed.push(id)
      },
      completeAndTake: async () => {
        end()
        this.completed.push(id)
        const next = this.#waiting.get(job.invocation.function)?.shift()
        if (next === undefined) return undefined
        this.takenAlong += 1
        return this.#claim(next)
      },
      retry: async (delayMs) => {
        end()
        this.retries.push(delayMs)
        later(delayMs, job.attempt + 1)
      },
      release: async (delayMs) => {
        end()
        this.releases.push(delayMs)
        later(delayMs, job.attempt)
      },
    }
  }
}

export class MemoryFunctions implements FunctionStore {
  readonly #versions = new Map<FunctionName, FunctionVersion>()
  readonly #listeners = new Set<(name: FunctionName | undefined) => void>()

  put(version: FunctionVersion): void {
    this.#versions.set(version.function, version)
    for (const listener of this.#listeners) listener(version.function)
  }

  async get(name: FunctionName): Promise<FunctionRecord | undefined> {
    const live = this.#versions.get(name)?.number
    return live === undefined ? undefined : { name, live, createdAt: 0, updatedAt: 0 }
  }

  async version(name: FunctionName, number: number): Promise<FunctionVersion | undefined> {
    const version = this.#versions.get(name)
    return version?.number === number ? version : undefined
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

  write(record: InvocationRecord): void {
    this.records.set(record.id, record)
    this.states.push(record.state)
  }

  writeLogs(lines: readonly StoredLogLine[]): void {
    this.lines.push(...lines)
  }

  async save(record: InvocationRecord): Promise<void> {
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

  followLogs(): never {
    throw new Error('not of use here')
  }
}

export function queued(version: FunctionVersion, target: string, maxAttempts = 3): QueuedInvocation {
  return {
    id: newInvocationId(),
    function: version.function,
    version: version.number,
    request: { method: 'POST', target, origin: 'http://test', headers: [], body: new Uint8Array() },
    acceptedAt: 0,
    maxAttempts,
  }
}
