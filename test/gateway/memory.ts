// The core interfaces in memory, true to their contracts, and an invoker that a test scripts.
import type { ArtifactFile, BlobStore, FileSet } from '#core/artifact'
import type { Builder, Draft } from '#core/build'
import { digestOf } from '#core/digest'
import { asPlatformError, PlatformError } from '#core/errors'
import type { FunctionPage, FunctionStore } from '#core/function-store'
import type { FunctionRecord, FunctionVersion } from '#core/function'
import type { Digest, FunctionName, InvocationId, LaneName, TriggerName, VersionNumber } from '#core/ids'
import type { Invocation, Start } from '#core/invocation'
import type { Completion, FunctionActivity, InvocationSink, Invoker } from '#core/invoker'
import type { Outcome } from '#core/outcome'
import type { Lanes, LaneState, QueuedInvocation } from '#core/queue'
import type { InvocationRecord, RecordFilter, RecordPage, RecordStore, StoredLogLine } from '#core/record'

export class MemoryFunctions implements FunctionStore {
  readonly records = new Map<FunctionName, FunctionRecord>()
  readonly #versions = new Map<FunctionName, FunctionVersion[]>()
  readonly #listeners = new Set<(name: FunctionName | undefined) => void>()
  /** Calls of get() and version(). */
  reads = 0

  async get(name: FunctionName): Promise<FunctionRecord | undefined> {
    this.reads++
    return this.records.get(name)
  }

  async list(page?: FunctionPage): Promise<readonly FunctionRecord[]> {
    const all = [...this.records.values()].toSorted((a, b) => (a.name < b.name ? -1 : 1))
    return page === undefined ? all : all.filter(({ name }) => name > page.after).slice(0, page.limit)
  }

  async version(name: FunctionName, number: VersionNumber): Promise<FunctionVersion | undefined> {
    this.reads++
    return this.#versions.get(name)?.find((version) => version.number === number)
  }

  async versions(name: FunctionName): Promise<readonly FunctionVersion[]> {
    return (this.#versions.get(name) ?? []).toReversed()
  }

  async deploy(
    draft: Omit<FunctionVersion, 'number' | 'createdAt'>,
    now: number,
  ): Promise<{ version: FunctionVersion; created: boolean }> {
    const name = draft.function
    const known = this.#versions.get(name) ?? []
    const live = known.at(-1)
    if (live?.digest === draft.digest) return { version: live, created: false }
    const version: FunctionVersion = { ...draft, number: (known.length + 1) as VersionNumber, createdAt: now }
    this.#versions.set(name, [...known, version])
    const createdAt = this.records.get(name)?.createdAt ?? now
    this.records.set(name, { name, live: version.number, createdAt, updatedAt: now })
    this.changed(name)
    return { version, created: true }
  }

  async remove(name: FunctionName): Promise<boolean> {
    this.#versions.delete(name)
    const removed = this.records.delete(name)
    if (removed) this.changed(name)
    return removed
  }

  onChange(listener: (name: FunctionName | undefined) => void): Disposable {
    this.#listeners.add(listener)
    return { [Symbol.dispose]: () => this.#listeners.delete(listener) }
  }

  changed(name: FunctionName | undefined): void {
    for (const listener of this.#listeners) listener(name)
  }
}

export class MemoryBlobs implements BlobStore {
  readonly #blobs = new Map<Digest, Uint8Array>()

  async putAll(files: FileSet): Promise<readonly ArtifactFile[]> {
    return [...files].map(([path, bytes]) => {
      const digest = digestOf(bytes)
      this.#blobs.set(digest, bytes)
      return { path, digest, size: bytes.length }
    })
  }

  async get(digest: Digest): Promise<Uint8Array> {
    const bytes = this.#blobs.get(digest)
    if (bytes === undefined) throw new PlatformError('internal', { detail: `no blob ${digest}` })
    return bytes
  }
}

/** Takes the source as the artifact; `script` may say otherwise. */
export class CopyBuilder implements Builder {
  builds = 0
  script: Builder['build'] = async (draft: Draft) => ({ artifact: draft.source, toolchain: 'copy 1' })

  build(...args: Parameters<Builder['build']>): ReturnType<Builder['build']> {
    this.builds++
    return this.script(...args)
  }
}

export class MemoryRecords implements RecordStore {
  readonly records = new Map<InvocationId, InvocationRecord>()
  readonly lines: StoredLogLine[] = []
  readonly #followers = new Set<(line: StoredLogLine) => void>()
  readonly #watchers = new Set<(record: InvocationRecord) => void>()
  /** What flush() fails with. */
  down: PlatformError | undefined

  write(record: InvocationRecord): void {
    this.records.set(record.id, record)
    for (const watcher of this.#watchers) watcher(record)
  }

  writeLogs(lines: readonly StoredLogLine[]): void {
    this.lines.push(...lines)
    for (const line of lines) for (const follower of this.#followers) follower(line)
  }

  async save(record: InvocationRecord): Promise<void> {
    this.write(record)
    await this.flush()
  }

  async flush(): Promise<void> {
    if (this.down !== undefined) throw this.down
  }

  async get(id: InvocationId): Promise<InvocationRecord | undefined> {
    return this.records.get(id)
  }

  async list(filter: RecordFilter): Promise<RecordPage> {
    const { since = 0, before = Number.POSITIVE_INFINITY } = filter
    const matching = [...this.records.values()]
      .filter((record) => matches(record, filter))
      .filter(({ acceptedAt }) => acceptedAt >= since && acceptedAt < before)
      .toSorted((a, b) => (a.id < b.id ? 1 : -1))
    const from = filter.cursor === undefined ? 0 : Number(filter.cursor)
    const records = matching.slice(from, from + filter.limit)
    const next = from + filter.limit
    return next < matching.length ? { records, next: String(next) } : { records }
  }

  async logsOf(id: InvocationId): Promise<readonly StoredLogLine[]> {
    return this.lines.filter((line) => line.invocation === id)
  }

  async logsOfFunction(name: FunctionName, limit: number): Promise<readonly StoredLogLine[]> {
    return this.lines.filter((line) => line.function === name).slice(-limit)
  }

  followLogs(name: FunctionName, signal: AbortSignal): AsyncIterable<StoredLogLine> {
    return following(this.#followers, (line) => line.function === name, signal)
  }

  follow(filter: Omit<RecordFilter, 'limit'>, signal: AbortSignal): AsyncIterable<InvocationRecord> {
    return following(this.#watchers, (record) => matches(record, filter), signal)
  }

  onSettled(trigger: TriggerName, listener: (id: InvocationId | undefined) => void): Disposable {
    const watcher = ({ id, cause, state }: InvocationRecord): void => {
      if (cause?.trigger === trigger && state !== 'queued' && state !== 'running') listener(id)
    }
    this.#watchers.add(watcher)
    return { [Symbol.dispose]: () => this.#watchers.delete(watcher) }
  }

  /** How many read followLogs() or follow() now. */
  get followers(): number {
    return this.#followers.size + this.#watchers.size
  }
}

function matches(record: InvocationRecord, filter: Omit<RecordFilter, 'limit'>): boolean {
  const { function: name, state, trigger } = filter
  if (name !== undefined && record.function !== name) return false
  if (trigger !== undefined && record.cause?.trigger !== trigger) return false
  return state === undefined || [state].flat().includes(record.state)
}

async function* following<T>(
  listeners: Set<(item: T) => void>,
  wanted: (item: T) => boolean,
  signal: AbortSignal,
): AsyncGenerator<T> {
  const waiting: T[] = []
  let wake = Promise.withResolvers<void>()
  const listener = (item: T): void => {
    if (wanted(item)) waiting.push(item)
    wake.resolve()
  }
  listeners.add(listener)
  signal.addEventListener('abort', () => wake.resolve(), { once: true })
  try {
    while (!signal.aborted) {
      yield* waiting.splice(0)
      if (!signal.aborted && waiting.length === 0) await wake.promise
      wake = Promise.withResolvers<void>()
    }
  } finally {
    listeners.delete(listener)
  }
}

/** Keeps what is added; nobody takes from it. */
export class MemoryLanes implements Lanes {
  readonly added: QueuedInvocation[] = []
  readonly removed: FunctionName[] = []
  /** Those that a cancel() finds running. */
  readonly running = new Set<InvocationId>()
  /** What all methods fail with. */
  down: Error | undefined
  /** What add() alone fails with. */
  refuse: Error | undefined
  /** What add() fails with after it has added: an answer that is lost. */
  lost: Error | undefined
  /** Whether has() fails. */
  blind = false

  async add(invocation: QueuedInvocation): Promise<void> {
    const error = this.down ?? this.refuse
    if (error !== undefined) throw error
    if (!this.added.some(({ id }) => id === invocation.id)) this.added.push(invocation)
    if (this.lost !== undefined) throw this.lost
  }

  async addMany(invocations: readonly QueuedInvocation[]): Promise<readonly (PlatformError | undefined)[]> {
    const outcomes = await Promise.allSettled(invocations.map((invocation) => this.add(invocation)))
    return outcomes.map((outcome) => (outcome.status === 'fulfilled' ? undefined : asPlatformError(outcome.reason)))
  }

  async take(): Promise<undefined> {
    return undefined
  }

  async limit(): Promise<void> {}

  async cancel(
    _name: LaneName,
    id: InvocationId,
    onRemove: (takeovers: number) => Promise<void> = async () => {},
  ): Promise<'removed' | 'told' | 'absent'> {
    if (this.down !== undefined) throw this.down
    if (this.running.has(id)) return 'told'
    const index = this.added.findIndex((invocation) => invocation.id === id)
    if (index === -1) return 'absent'
    await onRemove(0)
    this.added.splice(index, 1)
    return 'removed'
  }

  async has(_name: LaneName, id: InvocationId): Promise<boolean> {
    if (this.down !== undefined || this.blind) throw this.down ?? new Error('connection lost')
    return this.running.has(id) || this.added.some((invocation) => invocation.id === id)
  }

  listen(): AsyncDisposable {
    return { async [Symbol.asyncDispose]() {} }
  }

  async state(name: LaneName): Promise<LaneState> {
    const waiting = this.added.filter((invocation) => invocation.function === name)
    const oldest = waiting.map(({ acceptedAt }) => ({ oldestAt: acceptedAt }))[0]
    return { waiting: waiting.length, delayed: 0, running: this.running.size, ...oldest }
  }

  async states(): Promise<ReadonlyMap<LaneName, LaneState>> {
    if (this.down !== undefined) throw this.down
    const names = new Set(this.added.map((invocation) => invocation.function))
    return new Map(await Promise.all([...names].map(async (name) => [name, await this.state(name)] as const)))
  }

  async remove(name: FunctionName, onDrop?: Parameters<Lanes['remove']>[1]): Promise<void> {
    this.removed.push(name)
    const dropped = this.added.filter((invocation) => invocation.function === name)
    if (dropped.length > 0)
      await onDrop?.(
        name,
        dropped.map(({ id }) => id),
      )
    this.added.splice(0, this.added.length, ...this.added.filter((invocation) => invocation.function !== name))
  }
}

export const WARM: Start = { kind: 'warm', queueMs: 0, startMs: 0 }

export type Script = (invocation: Invocation, sink: InvocationSink, signal: AbortSignal) => Promise<Outcome>

/** Says `hello`; `script` may say otherwise. */
export class ScriptedInvoker implements Invoker {
  readonly invocations: Invocation[] = []
  readonly retired: [FunctionName, VersionNumber | undefined][] = []
  readonly prepared: [FunctionName, VersionNumber][] = []
  start: Start = WARM
  script: Script = async (_invocation, sink) => respond(sink, 200, 'hello')

  async invoke(invocation: Invocation, sink: InvocationSink, signal: AbortSignal): Promise<Completion> {
    this.invocations.push(invocation)
    sink.started(this.start)
    const outcome = await this.script(invocation, sink, signal)
    const { queueMs, startMs } = this.start
    return { outcome, start: this.start, timings: { queueMs, startMs, runMs: 1.5 } }
  }

  hasRoom(): boolean {
    return true
  }

  activity(): FunctionActivity {
    return {
      sandboxes: { starting: 0, idle: 1, paused: 0, hibernated: 0, busy: 0, draining: 0, generic: 0 },
      memory: { idle: { countedMiB: 64, residentBytes: 12_000_000 } },
      wakes: { paused: { count: 2, totalMs: 3, lastMs: 2, medianMs: 1 } },
      waiting: 0,
      starts: { cold: 1, specialized: 0, warm: 2 },
      lastStarts: [{ at: 1, kind: 'cold', startMs: 20 }],
      keepAlive: { basis: 'standard', why: 'nothing is known', idleTimes: 0 },
    }
  }

  sandboxes(): ReturnType<Invoker['sandboxes']> {
    const counts = { starting: 0, idle: 2, paused: 1, hibernated: 0, busy: 1, draining: 0, generic: 0 }
    const memory = { idle: { countedMiB: 128 }, paused: { countedMiB: 256, residentBytes: 12_000_000 } }
    return [{ driver: 'fake', counts, memory, wakes: { paused: { count: 4, totalMs: 6, lastMs: 2, medianMs: 1 } } }]
  }

  drivers(): ReturnType<Invoker['drivers']> {
    return [{ name: 'fake', on: true, detail: 'scripted' }]
  }

  retire(name: FunctionName, live: VersionNumber | undefined): void {
    this.retired.push([name, live])
  }

  prepare({ function: name, number }: FunctionVersion): void {
    this.prepared.push([name, number])
  }
}

/** A whole response, as a sandbox delivers it. */
export function respond(sink: InvocationSink, status: number, body: string | Uint8Array): Outcome {
  const whole = typeof body === 'string' ? new TextEncoder().encode(body) : body
  sink.head({ status, headers: [['content-type', 'text/plain']] }, whole)
  sink.end()
  return { kind: 'responded', status }
}
