// Generic sandboxes made ahead of demand: one that is there turns a cold start into a specialized one. Each is used
// for one function only. Decides nothing about when to use one: that is place.ts; nor how many there are: stock.ts.
import type { Clock } from '#core/clock'
import type { FunctionSpec, RuntimeName } from '#core/function'
import { parseSpec } from '#core/spec'
import type { Log } from '#invoker/log'
import type { SandboxSpec } from '#invoker/sandbox/driver'
import type { GuardedSandbox } from '#invoker/sandbox/guarded-sandbox'

import type { Ladder } from './descend.ts'
import { type Member, type MemberOwner, newMember } from './member.ts'
import type { Starter } from './starter.ts'
import { type Demand, faded, keyOf, kindOf, NO_DEMAND, started, stockOf, type StockSize } from './stock.ts'

export interface StemCellSettings {
  readonly size: StockSize
  /** Those worth it: whose sandboxes take long to create. */
  readonly runtimes: readonly RuntimeName[]
}

export interface StemCellOptions extends StemCellSettings {
  readonly clock: Clock
  readonly log: Log
  readonly starter: Starter
  readonly house: CellHouse
}

/** What it must know of the rest, as in House. */
interface CellHouse {
  readonly memoryMiB: number
  readonly freeMiB: number
  readonly ladder: Ladder
  /** Sandboxes that are being started for functions. */
  readonly starts: number
  charge(memoryMiB: number): void
}

/** Of all memory, for cells of all kinds. */
const MEMORY_SHARE = 0.25
/** A sandbox that someone waits for comes before one that nobody does. */
const REFILL_DELAY_MS = 100
const FAILED_DELAY_MS = 5000
/** The rehearsal of a new sandbox (docs/runtimes-containers.md) is over by then; one stopped in it would only be slower. */
const REHEARSED_MS = 1000
/** How often it is looked at what is not in demand any more. */
const FADE_MS = 60_000

interface Shelf {
  readonly spec: SandboxSpec
  readonly cells: Member[]
  /** The kind of functions that say nothing: always kept once its runtime is used. */
  readonly always: boolean
  demand: Demand
}

export class StemCells implements MemberOwner {
  readonly #options: StemCellOptions
  readonly #shelves = new Map<string, Shelf>()
  /** Of those that have yet to be paused. */
  readonly #timers = new Map<Member, Disposable>()
  #timer: Disposable | undefined
  #timerAt = Infinity
  #making = false
  #closed = false

  constructor(options: StemCellOptions) {
    this.#options = options
  }

  /** Those that could be specialized for this spec. */
  fit(spec: SandboxSpec): readonly Member[] {
    if (this.#shelves.size === 0) return []
    return this.#shelves.get(keyOf(kindOf(spec)))?.cells ?? []
  }

  /** A function of this spec is there: one of the kind is likely to be wanted. */
  expect(spec: FunctionSpec): void {
    this.#demand(spec, (demand, now) => (faded(demand, now).peak < 1 ? started(NO_DEMAND, now) : demand))
  }

  /** A sandbox of this spec is wanted: more of the kind are likely to be. */
  wanted(spec: FunctionSpec): void {
    this.#demand(spec, started)
  }

  #demand(spec: FunctionSpec, change: (demand: Demand, now: number) => Demand): void {
    if (this.#options.size === 0 || !this.#options.runtimes.includes(spec.runtime)) return
    this.#shelf(parseSpec({}, spec.runtime), true)
    const shelf = this.#shelf(spec, false)
    shelf.demand = change(shelf.demand, this.#options.clock.monotonic())
    this.#refillIn(REFILL_DELAY_MS)
  }

  /** All that could be given up, with the spec of each. */
  *ready(): Iterable<{ readonly sandbox: Member; readonly spec: SandboxSpec }> {
    for (const { cells, spec } of this.#shelves.values()) {
      for (const sandbox of cells) if (sandbox.state.kind === 'generic') yield { sandbox, spec }
    }
  }

  /** Gives one away, made or being made, with its memory; another one is made for it. */
  take(cell: Member): void {
    this.#remove(cell)
    this.#refillIn(REFILL_DELAY_MS)
  }

  async dismiss(cell: Member): Promise<void> {
    cell.state = { kind: 'draining' }
    cell.abort.abort()
    await cell.sandbox?.kill('the platform ended the sandbox')
    this.#remove(cell)
    this.#refillIn(FAILED_DELAY_MS)
  }

  async close(): Promise<void> {
    this.#closed = true
    this.#timer?.[Symbol.dispose]()
    const cells = [...this.#shelves.values()].flatMap((shelf) => shelf.cells)
    await Promise.all(cells.map((cell) => this.dismiss(cell)))
  }

  #shelf(spec: SandboxSpec, always: boolean): Shelf {
    const kind = kindOf(spec)
    const key = keyOf(kind)
    const known = this.#shelves.get(key)
    if (known !== undefined && (known.always || !always)) return known
    const shelf = { spec: kind, cells: known?.cells ?? [], always, demand: known?.demand ?? NO_DEMAND }
    this.#shelves.set(key, shelf)
    return shelf
  }

  #refillIn(ms: number): void {
    const { clock } = this.#options
    const at = clock.monotonic() + ms
    if (this.#closed || at >= this.#timerAt) return
    this.#timer?.[Symbol.dispose]()
    this.#timerAt = at
    this.#timer = clock.after(ms, () => {
      this.#timerAt = Infinity
      this.#tend()
    })
  }

  /** Gives up what nobody wants any more, and makes one of what is wanted: one at a time, and after what calls wait for. */
  #tend(): void {
    const now = this.#options.clock.monotonic()
    for (const [key, shelf] of this.#shelves) {
      const spare = shelf.cells.length - this.#wanted(shelf, now)
      for (const cell of shelf.cells.slice(0, Math.max(0, spare))) void this.dismiss(cell)
      if (shelf.cells.length === 0 && this.#wanted(shelf, now) === 0) this.#shelves.delete(key)
    }
    if (this.#shelves.size > 0) this.#refillIn(FADE_MS)
    const shelf = this.#shortest(now)
    if (shelf === undefined || this.#making) return
    if (this.#options.house.starts > 0) this.#refillIn(REFILL_DELAY_MS)
    else if (this.#hasMemoryFor(shelf)) this.#begin(shelf)
    else this.#refillIn(FAILED_DELAY_MS)
  }

  #wanted({ demand, always }: Shelf, now: number): number {
    return stockOf({ demand, always }, this.#options.size, now)
  }

  /** Of the shelves that lack cells, the one that has the fewest. */
  #shortest(now: number): Shelf | undefined {
    const short = [...this.#shelves.values()].filter((shelf) => shelf.cells.length < this.#wanted(shelf, now))
    return short.toSorted((a, b) => a.cells.length - b.cells.length)[0]
  }

  /** Only while memory is plenty: a cell must not be what is evicted next. */
  #hasMemoryFor({ spec }: Shelf): boolean {
    const { memoryMiB, freeMiB } = this.#options.house
    let used = 0
    for (const shelf of this.#shelves.values()) used += shelf.cells.length * shelf.spec.memoryMiB
    return used + spec.memoryMiB <= MEMORY_SHARE * memoryMiB && freeMiB >= 2 * spec.memoryMiB
  }

  #begin({ spec, cells }: Shelf): void {
    const { clock, house } = this.#options
    const state = { kind: 'starting', since: clock.monotonic(), slots: spec.concurrency } as const
    const cell = newMember(this, state, spec.memoryMiB)
    cells.push(cell)
    house.charge(cell.heldMiB)
    cell.made = this.#make(cell, spec)
  }

  async #make(cell: Member, spec: SandboxSpec): Promise<GuardedSandbox | undefined> {
    const { clock, starter, log } = this.#options
    this.#making = true
    let again = REFILL_DELAY_MS
    try {
      const sandbox = await starter.create(spec, cell.abort.signal)
      cell.sandbox = sandbox
      if (cell.abort.signal.aborted) {
        void sandbox.kill('the platform ended the sandbox')
        return undefined
      }
      // Else it was taken meanwhile.
      if (this.#has(cell)) {
        cell.state = { kind: 'generic', since: clock.monotonic() }
        this.#restLater(cell)
        void sandbox.ended.then(() => this.#died(cell))
      }
      return sandbox
    } catch (error) {
      this.#remove(cell)
      again = FAILED_DELAY_MS
      if (!cell.abort.signal.aborted) {
        log.warn('a generic sandbox could not be made', { runtime: spec.runtime, error })
      }
      return undefined
    } finally {
      this.#making = false
      this.#refillIn(again)
    }
  }

  /** It wants no processor until it is taken, which wakes it. */
  #restLater(cell: Member): void {
    const { clock, house } = this.#options
    if (house.ladder.pauseAfterMs === Infinity) return
    const timer = clock.after(REHEARSED_MS, () => {
      this.#timers.delete(cell)
      if (cell.state.kind === 'generic') void cell.sandbox?.pause()
    })
    this.#timers.set(cell, timer)
  }

  #has(cell: Member): boolean {
    return [...this.#shelves.values()].some(({ cells }) => cells.includes(cell))
  }

  #died(cell: Member): void {
    if (this.#remove(cell)) this.#refillIn(FAILED_DELAY_MS)
  }

  #remove(cell: Member): boolean {
    for (const { cells } of this.#shelves.values()) {
      const index = cells.indexOf(cell)
      if (index === -1) continue
      cells.splice(index, 1)
      this.#options.house.charge(-cell.heldMiB)
      this.#timers.get(cell)?.[Symbol.dispose]()
      this.#timers.delete(cell)
      return true
    }
    return false
  }
}
