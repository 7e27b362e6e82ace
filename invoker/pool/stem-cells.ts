// Generic sandboxes made ahead of demand: one that is there turns a cold start into a specialized one. Each is used
// for one function only. Decides nothing about when to use one: that is place.ts.
import type { Clock } from '#core/clock'
import type { Log } from '#invoker/log'
import type { SandboxSpec } from '#invoker/sandbox/driver'

import { type Member, type MemberOwner, newMember } from './member.ts'
import type { Starter } from './starter.ts'

/** How many generic sandboxes of one kind to keep. */
export interface Stock {
  readonly spec: SandboxSpec
  readonly count: number
}

export interface StemCellOptions {
  readonly clock: Clock
  readonly log: Log
  readonly starter: Starter
  readonly stocks: readonly Stock[]
  /** As in House. */
  readonly memory: { readonly freeMiB: number; charge(memoryMiB: number): void }
}

/** A sandbox that someone waits for comes before one that nobody does. */
const REFILL_DELAY_MS = 100
const FAILED_DELAY_MS = 5000

interface Shelf extends Stock {
  readonly cells: Member[]
}

export class StemCells implements MemberOwner {
  readonly #options: StemCellOptions
  readonly #shelves: readonly Shelf[]
  #refilling: Disposable | undefined
  #closed = false

  /** Fills the stocks from now on. */
  constructor(options: StemCellOptions) {
    this.#options = options
    this.#shelves = options.stocks.map((stock) => ({ ...stock, cells: [] }))
    if (options.stocks.length > 0) this.#refillIn(0)
  }

  /** Those that could be specialized for this spec. */
  fit(spec: SandboxSpec): readonly Member[] {
    return this.#shelves.find((shelf) => isSame(shelf.spec, spec))?.cells ?? []
  }

  /** All that could be given up, with the memory of each. */
  *ready(): Iterable<{ readonly sandbox: Member; readonly memoryMiB: number }> {
    for (const { cells, spec } of this.#shelves) {
      for (const sandbox of cells) if (sandbox.state.kind === 'generic') yield { sandbox, memoryMiB: spec.memoryMiB }
    }
  }

  /** Gives one away, with its memory; another one is made for it. */
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
    this.#refilling?.[Symbol.dispose]()
    const cells = this.#shelves.flatMap((shelf) => shelf.cells)
    await Promise.all(cells.map((cell) => this.dismiss(cell)))
  }

  #refillIn(ms: number): void {
    if (this.#closed || this.#refilling !== undefined) return
    this.#refilling = this.#options.clock.after(ms, () => {
      this.#refilling = undefined
      for (const shelf of this.#shelves) this.#refill(shelf)
    })
  }

  /** Only while memory is plenty: a cell must not be what is evicted next. */
  #refill(shelf: Shelf): void {
    const { memory } = this.#options
    while (shelf.cells.length < shelf.count && memory.freeMiB >= 2 * shelf.spec.memoryMiB) {
      const state = { kind: 'starting', since: this.#options.clock.monotonic(), slots: shelf.spec.concurrency } as const
      const cell = newMember(this, state)
      shelf.cells.push(cell)
      memory.charge(shelf.spec.memoryMiB)
      void this.#make(cell, shelf)
    }
    if (shelf.cells.length < shelf.count) this.#refillIn(FAILED_DELAY_MS)
  }

  async #make(cell: Member, { spec }: Shelf): Promise<void> {
    try {
      const sandbox = await this.#options.starter.create(spec, cell.abort.signal)
      cell.sandbox = sandbox
      if (cell.abort.signal.aborted) return void sandbox.kill('the platform ended the sandbox')
      cell.state = { kind: 'generic', since: this.#options.clock.monotonic() }
      void sandbox.ended.then(() => this.#died(cell))
    } catch (error) {
      this.#remove(cell)
      if (cell.abort.signal.aborted) return
      this.#options.log.warn('a generic sandbox could not be made', { runtime: spec.runtime, error })
      this.#refillIn(FAILED_DELAY_MS)
    }
  }

  #died(cell: Member): void {
    if (this.#remove(cell)) this.#refillIn(FAILED_DELAY_MS)
  }

  #remove(cell: Member): boolean {
    for (const { cells, spec } of this.#shelves) {
      const index = cells.indexOf(cell)
      if (index === -1) continue
      cells.splice(index, 1)
      this.#options.memory.charge(-spec.memoryMiB)
      return true
    }
    return false
  }
}

function isSame(a: SandboxSpec, b: SandboxSpec): boolean {
  return (
    a.runtime === b.runtime && a.engine === b.engine && a.memoryMiB === b.memoryMiB && a.concurrency === b.concurrency
  )
}
