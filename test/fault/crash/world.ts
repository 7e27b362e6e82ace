// Where the rounds of the crash suite take place: a platform that can be called, whose parts can be killed, and that can
// be looked into from outside. Knows nothing of what is sent or checked.
import type { Store } from '#store/open'

/** One sign of life of the code of a function, kept where no kill of the platform reaches it. */
export interface Effect {
  readonly kind: 'start' | 'end'
  readonly function: string
  /** Of the request; `told:<id>` in a function that is told of the invocation with this id. */
  readonly tag: string
  /** ms since the epoch */
  readonly at: number
  /** Known where the code can know it, as the two below. */
  readonly id?: string
  readonly attempt?: number
  /** The process that ran it. */
  readonly by?: string
}

/** Where in a process it is to end: at the n-th call of this method of the store, before it is made or when it has been answered. */
export interface Fuse {
  readonly step: FuseStep
  readonly count: number
  readonly side: 'before' | 'after'
}

export const FUSE_STEPS = [
  'records.save',
  'lanes.add',
  'lanes.addMany',
  'lanes.take',
  'lanes.cancel',
  'deadLetters.add',
  'idempotency.beginMany',
  'idempotency.finish',
  'queues.add',
  'claim.complete',
  'claim.completeAndTake',
  'claim.retry',
] as const
export type FuseStep = (typeof FUSE_STEPS)[number]

/** A part that is killed as by kill -9. */
export interface Victim {
  readonly name: string
  /** Has it kill itself, where it can do that. */
  arm?(fuse: Fuse): void
  /** Resolves when it is dead; at once when it is already. */
  kill(): Promise<void>
  /** Starts it again, and resolves when it serves. */
  revive(): Promise<void>
}

export interface World extends AsyncDisposable {
  readonly name: string
  /** By name. */
  readonly victims: ReadonlyMap<string, Victim>
  /** To look with: nothing is taken through it. */
  readonly store: Store
  /** Of the Redis. */
  readonly redisUrl: string
  /** How often Redis has come back without something that it had answered. */
  readonly losses: () => number
  /** Whether that may happen (redis-victim.ts). */
  readonly mayLose: boolean
  /** The management API as it is now: after a crash it may be elsewhere. */
  readonly url: () => string
  readonly token: string
  /** All since the start. */
  effects(): Promise<readonly Effect[]>
  /** When each process that `Effect.by` names was killed, ms since the epoch. */
  readonly deaths: ReadonlyMap<string, number>
  /** Whether effects have ids and attempts. */
  readonly hasIds: boolean
  /** What the processes wrote to standard error, for the report of a failure. */
  log(): string
}

/** What both worlds have deployed; the rest of the spec is as by default. */
export const FUNCTIONS = {
  /** Tells another function of what succeeded and a queue of what failed. */
  work: {
    maxAttempts: 3,
    retryBackoff: 'fixed',
    retryDelayMs: 30,
    onSuccess: 'function:told',
    onFailure: 'queue:failed',
  },
  plain: { maxAttempts: 2, retryBackoff: 'exponential', retryDelayMs: 40 },
  /** A few at the same time, over all processes. */
  capped: { maxAttempts: 2, retryBackoff: 'fixed', retryDelayMs: 20, asyncConcurrency: 3, onSuccess: 'queue:done' },
  told: { maxAttempts: 5, retryDelayMs: 20 },
} as const
export type FunctionKey = keyof typeof FUNCTIONS
