// Puts the parts of an invoker together. The composition root calls this and nothing below it.
import { availableParallelism } from 'node:os'

import type { Clock } from '#core/clock'
import type { RuntimeName } from '#core/function'
import type { HistoryStore } from '#core/history-store'
import type { FunctionName } from '#core/ids'
import type { RequestLimits } from '#core/limits'

import type { ArtifactCache } from './artifacts.ts'
import { Dispatcher } from './dispatcher.ts'
import type { Log } from './log.ts'
import { type Ladder, NO_LADDER } from './pool/descend.ts'
import { Histories } from './pool/keep-alive/histories.ts'
import { hybridHistogram } from './pool/keep-alive/hybrid-histogram.ts'
import { SandboxPool } from './pool/pool.ts'
import { type AbsentDriver, Starter } from './pool/starter.ts'
import type { StockSize } from './pool/stock.ts'
import type { SandboxDriver } from './sandbox/driver.ts'

export interface LocalInvokerOptions {
  readonly clock: Clock
  /** What sandboxes are kept, ended and loaded ahead by. Default: `clock`; a replay of a trace has a faster one. */
  readonly poolClock?: Clock
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
  /** Generic sandboxes to keep ready. Default: none. */
  readonly stemCells?: StockSize
  /** When idle sandboxes are let sleep. Default: never. */
  readonly ladder?: Ladder
  /** Of the machine: starts that do not slow each other. Default: those that this process may use. */
  readonly processors?: number
  /** Where it is kept how functions were called, and what was kept. Default: nothing is. */
  readonly histories?: { readonly remembered: ReadonlyMap<FunctionName, string>; readonly save: HistoryStore['save'] }
}

/** More creates at once gain nothing on one machine (design.md §6). */
const MAX_STARTS = 4
const START_TIMEOUT_MS = 30_000
/** Short: until then the slot of a call that was stopped is taken. */
const STOP_GRACE_MS = 200
const PROBE_MS = 200
/** Whose sandboxes take long to create; the Wasm driver has spare workers itself. */
const STEM_CELL_RUNTIMES: readonly RuntimeName[] = ['node', 'python']
const NO_HISTORIES = { remembered: new Map<FunctionName, string>(), save: async () => {} }

/** The drivers stay the caller's: to be disposed of after `drain`. */
export function createLocalInvoker(options: LocalInvokerOptions): Dispatcher {
  const { clock, log, drivers, absent, artifacts, limits, memoryMiB, maxWaiting, maxWaitMs } = options
  const { stemCells = 0, ladder = NO_LADDER, histories = NO_HISTORIES, poolClock = clock } = options
  const { processors = availableParallelism() } = options
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
    clock: poolClock,
    log,
    starter,
    histories: new Histories({ clock: poolClock, log, ...histories }),
    learned: hybridHistogram(),
    memoryMiB,
    maxWaiting,
    maxWaitMs,
    ladder,
    stemCells: { size: stemCells, runtimes: STEM_CELL_RUNTIMES },
    processors,
  })
  return new Dispatcher({ clock, limits, drivers, absent, pool })
}
