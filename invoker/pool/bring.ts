// Brings one sandbox of a version up, whatever comes of it. Whether to is version-pool.ts; how is starter.ts.
import { asPlatformError, type PlatformError } from '#core/errors'
import type { Clock } from '#core/clock'
import type { FunctionVersion } from '#core/function'
import type { Start } from '#core/invocation'
import type { Outcome } from '#core/outcome'
import type { GuardedSandbox } from '#invoker/sandbox/guarded-sandbox'

import { WAKE_MS } from './resting.ts'
import type { Starter } from './starter.ts'

export type Brought =
  | { readonly kind: 'ready'; readonly sandbox: GuardedSandbox; readonly start: Start }
  /** The code is to blame. */
  | { readonly kind: 'unloadable'; readonly outcome: Outcome; readonly start: Start }
  | { readonly kind: 'failed'; readonly error: PlatformError }
  /** Nobody wanted it any more. */
  | { readonly kind: 'abandoned' }

export interface Bringing {
  readonly clock: Clock
  readonly starter: Starter
  readonly version: FunctionVersion
  /** Resolves when there is room. */
  readonly room: Promise<void>
  /** To be specialized, unless it is not made or does not wake; undefined: a new one. */
  readonly generic: Promise<GuardedSandbox | undefined> | undefined
}

/** Never rejects; unless it is `ready`, nothing of the sandbox is left. */
export async function bring(
  { clock, starter, version, room, generic }: Bringing,
  signal: AbortSignal,
): Promise<Brought> {
  const since = clock.monotonic()
  let cell: GuardedSandbox | undefined
  try {
    await room
    cell = await generic
    const awake = (await cell?.wake(WAKE_MS)) === true ? cell : undefined
    signal.throwIfAborted()
    const kind = awake === undefined ? 'cold' : 'specialized'
    const started = await (awake === undefined
      ? starter.start(version, signal)
      : starter.specialize(awake, version, signal))
    if (signal.aborted && started.kind === 'ready') await started.sandbox[Symbol.asyncDispose]()
    signal.throwIfAborted()
    const start = { kind, queueMs: 0, startMs: clock.monotonic() - since } as const
    if (started.kind === 'ready') return { kind: 'ready', sandbox: started.sandbox, start }
    return { kind: 'unloadable', outcome: started.outcome, start }
  } catch (thrown) {
    void cell?.[Symbol.asyncDispose]()
    return signal.aborted ? { kind: 'abandoned' } : { kind: 'failed', error: asPlatformError(thrown) }
  }
}
