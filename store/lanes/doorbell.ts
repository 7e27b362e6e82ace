// Tells processes that a lane may have work. Knows lanes by name only and takes nothing from them.
//
// The bells are one sorted set: a lane is in it at most once, and lanes are served in the order in which they rang.
// Exactly one process hears a bell. From then on that process answers for the lane: unless it has seen the lane empty,
// it looks a little later whether something still waits, and if so rings again, so that a process with room hears it.
// The wait doubles while nothing is taken. When the process dies before that, the sweep (sweep.ts) rings.
import type { Redis } from 'ioredis'

import { type Clock, sleep } from '#core/clock'
import type { LaneName } from '#core/ids'

import { BLOCK_S } from '../connect.ts'
import type { Keys } from '../keys.ts'
import { runScript, script } from '../script.ts'
import { atEndOfTurn } from '../turn.ts'

/** How long a process that heard a bell, or took something, has to take more before others are asked, ms. */
const PASS_ON_MS = 20
const LONGEST_PASS_ON_MS = 1_000
/** Pause of the listening loop when Redis is away, ms. */
const RETRY_MS = 250

/** Rings lanes, and has the sweep look at them no later than ARGV[2]. */
const RING = script(`
  for i = 3, #ARGV do
    redis.call('ZADD', KEYS[1], 'NX', ARGV[1], ARGV[i])
    local due = redis.call('ZSCORE', KEYS[2], ARGV[i])
    if not due or tonumber(due) > tonumber(ARGV[2]) then redis.call('ZADD', KEYS[2], ARGV[2], ARGV[i]) end
  end`)

export interface DoorbellContext {
  /** For commands. */
  readonly redis: Redis
  readonly keys: Keys
  readonly clock: Clock
  readonly sweepMs: number
  /** How much waits in a lane now. */
  waiting(name: LaneName): Promise<number>
}

/** A lane of which this process has heard or taken. */
interface WatchedLane {
  /** Bells heard, so that an answer which was asked for before the last one is known to be old. */
  bells: number
  /** Bells since something was taken. */
  unanswered: number
  /** Seen empty after the last bell. */
  isEmpty: boolean
  /** Until it is looked at, to be rung again if something waits. */
  timer: Disposable | undefined
}

export class Doorbell implements Disposable {
  readonly #context: DoorbellContext
  /** To be rung at the end of this turn of the event loop. */
  readonly #ringing = new Set<LaneName>()
  #isFlushDue = false
  /** Delays that end soon, by lane: the earliest. */
  readonly #delays = new Map<LaneName, { readonly at: number; readonly timer: Disposable }>()
  readonly #watched = new Map<LaneName, WatchedLane>()
  #retry: Disposable | undefined
  #listeners = 0
  #closed = false

  constructor(context: DoorbellContext) {
    this.#context = context
  }

  /** Never throws. While Redis is away it is tried again; should this process end before, the sweep rings. */
  ring(name: LaneName): void {
    this.#ringing.add(name)
    if (this.#isFlushDue) return
    this.#isFlushDue = true
    atEndOfTurn(() => void this.#flush())
  }

  /** Rings at a time, ms since the epoch; the sweep does it when this process is gone by then. */
  ringAt(name: LaneName, at: number): void {
    const { clock, sweepMs } = this.#context
    const delay = at - clock.now()
    if (delay <= 0) return this.ring(name)
    const earlier = this.#delays.get(name)
    if (this.#closed || delay > 2 * sweepMs || (earlier !== undefined && earlier.at <= at)) return
    earlier?.timer[Symbol.dispose]()
    const timer = clock.after(delay + 1, () => {
      this.#delays.delete(name)
      this.ring(name)
    })
    this.#delays.set(name, { at, timer })
  }

  /**
   * Whether a take would find nothing: the lane was seen empty and has not rung here since. When it rang elsewhere,
   * that process answers for it.
   */
  isQuiet(name: LaneName): boolean {
    return this.#listeners > 0 && this.#watched.get(name)?.isEmpty === true
  }

  /** Call before a take; the result goes to `taken` or `nothing`. */
  bellsOf(name: LaneName): number {
    return this.#watch(name).bells
  }

  /**
   * This process has taken from the lane: it answers for the rest.
   * @param bells from before the take
   * @param left how many more waited then
   */
  taken(name: LaneName, bells: number, left: number): void {
    const lane = this.#watch(name)
    if (left === 0 && lane.bells === bells) return settle(lane)
    lane.unanswered = 0
    lane.isEmpty = false
    if (lane.timer === undefined) this.#passOnLater(name, lane)
  }

  /** A take found nothing. @param bells from before it */
  nothing(name: LaneName, bells: number): void {
    const lane = this.#watch(name)
    if (lane.bells === bells) settle(lane)
  }

  /** This process put something back for which it has no room. */
  declined(name: LaneName): void {
    const lane = this.#watch(name)
    // As a bell: an answer that is under way is from before.
    lane.bells++
    lane.unanswered++
    lane.isEmpty = false
    this.#passOnLater(name, lane)
  }

  /**
   * Hears bells until the signal aborts; then resolves, with no bell lost.
   * @param blocking a connection for this alone
   */
  async listen(blocking: Redis, onBell: (name: LaneName) => void, signal: AbortSignal): Promise<void> {
    this.#listeners++
    let blockingId: number | undefined
    blocking.on('ready', () => (blockingId = undefined))
    // Repeated, for it does nothing when it arrives a moment before the command that is to be unblocked.
    const unblock = (): Disposable =>
      this.#context.clock.every(10, () => {
        if (blockingId !== undefined) this.#context.redis.client('UNBLOCK', blockingId).catch(() => {})
      })
    using stopping = new DisposableStack()
    const onAbort = (): void => void stopping.use(unblock())
    signal.addEventListener('abort', onAbort, { once: true })
    while (!signal.aborted) {
      try {
        blockingId ??= await blocking.client('ID')
        const bell = await blocking.bzpopmin(this.#context.keys.bells, BLOCK_S)
        if (bell === null) continue
        if (signal.aborted) this.ring(bell[1] as LaneName)
        else this.#hear(bell[1] as LaneName, onBell)
      } catch {
        await sleep(RETRY_MS, signal, this.#context.clock).catch(() => {})
      }
    }
    signal.removeEventListener('abort', onAbort)
    this.#listeners--
    await this.#flush()
  }

  forget(name: LaneName): void {
    this.#delays.get(name)?.timer[Symbol.dispose]()
    this.#delays.delete(name)
    this.#watched.get(name)?.timer?.[Symbol.dispose]()
    this.#watched.delete(name)
  }

  [Symbol.dispose](): void {
    this.#closed = true
    this.#retry?.[Symbol.dispose]()
    for (const name of [...this.#delays.keys(), ...this.#watched.keys()]) this.forget(name)
  }

  #hear(name: LaneName, onBell: (name: LaneName) => void): void {
    const lane = this.#watch(name)
    lane.bells++
    lane.unanswered++
    lane.isEmpty = false
    this.#passOnLater(name, lane)
    onBell(name)
  }

  #watch(name: LaneName): WatchedLane {
    let lane = this.#watched.get(name)
    if (lane === undefined) {
      lane = { bells: 0, unanswered: 0, isEmpty: false, timer: undefined }
      this.#watched.set(name, lane)
    }
    return lane
  }

  #passOnLater(name: LaneName, lane: WatchedLane): void {
    if (this.#closed) return
    lane.timer?.[Symbol.dispose]()
    const delay = Math.min(PASS_ON_MS * 2 ** Math.max(0, lane.unanswered - 1), LONGEST_PASS_ON_MS)
    lane.timer = this.#context.clock.after(delay, () => {
      lane.timer = undefined
      void this.#passOn(name, lane)
    })
  }

  async #passOn(name: LaneName, lane: WatchedLane): Promise<void> {
    const { bells } = lane
    // Redis may be away: then the lane counts as not empty, and rings again.
    const waiting = await this.#context.waiting(name).catch(() => 1)
    if (waiting === 0 && lane.bells === bells) settle(lane)
    if (lane.isEmpty || this.#closed) return
    lane.timer?.[Symbol.dispose]()
    lane.timer = undefined
    this.ring(name)
  }

  async #flush(): Promise<void> {
    this.#isFlushDue = false
    const names = [...this.#ringing]
    this.#ringing.clear()
    if (names.length === 0) return
    const { redis, keys, clock, sweepMs } = this.#context
    const now = clock.now()
    try {
      await runScript(redis, RING, [keys.bells, keys.due], [now, now + sweepMs, ...names])
    } catch {
      for (const name of names) this.#ringing.add(name)
      if (this.#closed || this.#isFlushDue) return
      this.#isFlushDue = true
      this.#retry = clock.after(RETRY_MS, () => void this.#flush())
    }
  }
}

/** Nothing to answer for until the next bell. */
function settle(lane: WatchedLane): void {
  lane.isEmpty = true
  lane.unanswered = 0
  lane.timer?.[Symbol.dispose]()
  lane.timer = undefined
}
