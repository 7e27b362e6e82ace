// Binds an event source to a function: the resource, its status, and the seam to where triggers are kept. How one is
// read from untrusted input is in trigger-spec.ts; how sources work is in gateway/sources.
import type { EventFilter } from './filter.ts'
import type { FunctionName, TriggerName } from './ids.ts'
import type { RetryPolicy } from './queue.ts'

export const SOURCE_KINDS = [
  'schedule',
  'http',
  'events',
  'bullmq',
  'redis-stream',
  'nats',
  'amqp',
  'mqtt',
  'postgres',
] as const
export type SourceKind = (typeof SOURCE_KINDS)[number]

/** What all kinds have in common. */
export interface TriggerSpec {
  readonly kind: SourceKind
  readonly function: FunctionName
  readonly enabled: boolean
  /** Path and query that the function sees. */
  readonly path: string
  /** Events that do not match are dropped and counted; undefined: all match. */
  readonly filter: EventFilter | undefined
  /** Most events in one invocation; 1: each has its own. */
  readonly batchSize: number
  /** How long an event waits for others to fill a batch, ms. */
  readonly batchWindowMs: number
  /** Invocations of this trigger that may be under way (waiting, running or to be retried); 1 keeps the order. */
  readonly concurrency: number
  /** HTTP mode of a single event: `binary` (attributes as headers) or `structured` (JSON). Batches are JSON. */
  readonly mode: 'binary' | 'structured'
  readonly retry: RetryPolicy
  /** Events that are older when their turn comes are dead-lettered, ms; 0: none are. */
  readonly maxAgeMs: number
  /** What is particular to the kind, checked by the parser of the kind. Secrets are in it. */
  readonly source: Readonly<Record<string, unknown>>
}

export interface Trigger {
  readonly name: TriggerName
  readonly spec: TriggerSpec
  /** Counts changes of the spec: 1 for the first. */
  readonly revision: number
  /** ms since the epoch */
  readonly createdAt: number
  readonly updatedAt: number
}

/** What the process that serves a trigger last said about it. Counters are since the trigger was made. */
export interface TriggerStatus {
  /** `disabled` by its spec; `failing`: the source cannot be reached or refuses, and is tried again. */
  readonly state: 'starting' | 'listening' | 'failing' | 'disabled'
  /** In words, when failing. */
  readonly reason?: string
  /** Events that wait at the source, as far as it can tell. */
  readonly lag?: number
  /** Age of the oldest of them, ms. */
  readonly lagMs?: number
  readonly underWay: number
  readonly received: number
  readonly matched: number
  readonly invocations: number
  /** Events that came again: they were known, or the source said so. */
  readonly redelivered: number
  readonly failed: number
  /** ms since the epoch */
  readonly lastEventAt?: number
  readonly nextAt?: number
  readonly at: number
}

export interface TriggerStore {
  get(name: TriggerName): Promise<Trigger | undefined>
  /** By name. */
  list(): Promise<readonly Trigger[]>
  /** Makes or replaces it. The same spec changes nothing. */
  put(name: TriggerName, spec: TriggerSpec, now: number): Promise<{ trigger: Trigger; created: boolean }>
  /** With its status and state; false when there is none. */
  remove(name: TriggerName): Promise<boolean>
  /** Called after any process changed a trigger, and with undefined when messages may have been lost. */
  onChange(listener: (name: TriggerName | undefined) => void): Disposable
  status(name: TriggerName): Promise<TriggerStatus | undefined>
  /** Counters are added to what is there; the rest replaces it. */
  report(name: TriggerName, change: TriggerReport): Promise<void>
  /** What a source must know after a restart: a position, the last occurrence. Small; undefined when nothing is kept. */
  state(name: TriggerName): Promise<string | undefined>
  setState(name: TriggerName, state: string): Promise<void>
  /**
   * Makes this process the one that serves the trigger, for `ttlMs`; call again to stay it. False: another one is.
   * @param owner of this process
   */
  lead(name: TriggerName, owner: string, ttlMs: number): Promise<boolean>
  /** Gives it up at once. */
  unlead(name: TriggerName, owner: string): Promise<void>
}

export type TriggerCounter = 'received' | 'matched' | 'invocations' | 'redelivered' | 'failed'
export interface TriggerReport extends Partial<Omit<TriggerStatus, TriggerCounter>> {
  readonly add?: Readonly<Partial<Record<TriggerCounter, number>>>
}
