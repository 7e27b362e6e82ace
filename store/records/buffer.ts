// What waits to be written, in memory and bounded. Pure: does no I/O and knows no time.
import type { InvocationId } from '#core/ids'
import type { InvocationRecord, StoredLogLine } from '#core/record'

import { supersedes } from './precedence.ts'

export interface Batch {
  readonly records: readonly InvocationRecord[]
  readonly lines: readonly StoredLogLine[]
}

/**
 * One entry per record: a later write replaces the one that waits. When it is full, records of sync calls that
 * succeeded go first, then log lines, then the other records; the oldest of each first.
 */
export class RecordBuffer {
  readonly #capacity: number
  readonly #records = new Map<InvocationId, InvocationRecord>()
  /** The records that go first. */
  readonly #expendable = new Set<InvocationId>()
  /** Of the batch that was taken last: what it may bring back. */
  readonly #taken = new Map<InvocationId, InvocationRecord>()
  #lines: StoredLogLine[] = []
  #dropped = 0

  /** @param capacity records and log lines together */
  constructor(capacity: number) {
    this.#capacity = capacity
  }

  get size(): number {
    return this.#records.size + this.#lines.length
  }

  /** Records and log lines that did not fit, since the start. */
  get dropped(): number {
    return this.#dropped
  }

  add(record: InvocationRecord): void {
    const waiting = this.#records.get(record.id)
    if (waiting !== undefined && !supersedes(record, waiting)) return
    this.#records.set(record.id, record)
    if (record.trigger === 'http' && record.state === 'succeeded') this.#expendable.add(record.id)
    else this.#expendable.delete(record.id)
    this.#shrink()
  }

  /** Drops an entry that waits, or may be put back, and that `record`, written elsewhere, makes old. */
  supersede(record: InvocationRecord): void {
    const waiting = this.#records.get(record.id)
    if (waiting !== undefined && supersedes(record, waiting)) this.#forget(record.id)
    const taken = this.#taken.get(record.id)
    if (taken !== undefined && supersedes(record, taken)) this.#taken.delete(record.id)
  }

  addLines(lines: readonly StoredLogLine[]): void {
    for (const line of lines) this.#lines.push(line)
    this.#shrink()
  }

  /** How many times `take(count)` must be called to get all that waits now. */
  batches(count: number): number {
    return Math.ceil(Math.max(this.#records.size, this.#lines.length) / count)
  }

  /** The oldest, out of the buffer: at most `count` records and as many log lines. One batch is out at a time. */
  take(count: number): Batch {
    const records = [...this.#records.values().take(count)]
    this.#taken.clear()
    for (const record of records) {
      this.#forget(record.id)
      this.#taken.set(record.id, record)
    }
    return { records, lines: this.#lines.splice(0, count) }
  }

  /** Puts the batch back that could not be written: older than all that came since. */
  restore(batch: Batch): void {
    const since = [...this.#records.values()]
    this.#records.clear()
    for (const record of this.#taken.values()) this.add(record)
    for (const record of since) this.add(record)
    this.#lines = [...batch.lines, ...this.#lines]
    this.#shrink()
  }

  #shrink(): void {
    let excess = this.size - this.#capacity
    if (excess <= 0) return
    this.#dropped += excess
    for (const id of this.#expendable.values().take(excess).toArray()) {
      this.#forget(id)
      excess--
    }
    excess -= this.#lines.splice(0, excess).length
    for (const id of this.#records.keys().take(excess).toArray()) this.#forget(id)
  }

  #forget(id: InvocationId): void {
    this.#records.delete(id)
    this.#expendable.delete(id)
  }
}
