// Puts the parts of an invoker together. The composition root calls this and nothing below it.
import type { Clock } from '#core/clock'
import type { RequestLimits } from '#core/limits'

import type { ArtifactCache } from './artifacts.ts'
import { Dispatcher } from './dispatcher.ts'
import type { Log } from './log.ts'
import { fixedKeepAlive } from './pool/keep-alive.ts'
import { SandboxPool } from './pool/pool.ts'
import { type AbsentDriver, Starter } from './pool/starter.ts'
import type { Stock } from './pool/stem-cells.ts'
import type { SandboxDriver } from './sandbox/driver.ts'

export interface LocalInvokerOptions {
  readonly clock: Clock
  readonly log: Log
  readonly drivers: readonly SandboxDriver[]
  readonly absent: readonly AbsentDriver[]
  readonly artifacts: Pick<ArtifactCache, 'fetch'>
  readonly limits: RequestLimits
  /** For all sandboxes together. */
  readonly memoryMiB: number
  /** Per function version. */
  readonly maxWaiting: number
  readonly maxWaitMs: number
  /** Generic sandboxes to keep ready, by kind. Default: none. */
  readonly stocks?: readonly Stock[]
}

/** More creates at once gain nothing on one machine (design.md §6). */
const MAX_STARTS = 4
const START_TIMEOUT_MS = 30_000
/** Short: until then the slot of a call that was stopped is taken. */
const STOP_GRACE_MS = 200
const PROBE_MS = 200

/** The drivers stay the caller's: to be disposed of after `drain`. */
export function createLocalInvoker(options: LocalInvokerOptions): Dispatcher {
  const { clock, log, drivers, absent, artifacts, limits, memoryMiB, maxWaiting, maxWaitMs, stocks = [] } = options
  const starter = new Starter({
    drivers,
    absent,
    artifacts,
    clock,
    maxStarts: MAX_STARTS,
    startTimeoutMs: START_TIMEOUT_MS,
    stopGraceMs: STOP_GRACE_MS,
    probeMs: PROBE_MS,
  })
  const pool = new SandboxPool({
    clock,
    log,
    starter,
    keepAlive: fixedKeepAlive,
    memoryMiB,
    maxWaiting,
    maxWaitMs,
    stocks,
  })
  return new Dispatcher({ clock, limits, drivers, absent, pool })
}
