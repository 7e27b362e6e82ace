// The histories of all functions: read once at the start, written behind the calls in batches. Learns nothing itself.
import type { Clock } from '#core/clock'
import type { HistoryStore } from '#core/history-store'
import type { FunctionName } from '#core/ids'
import type { Log } from '#invoker/log'

import { decodeHistory, encodeHistory } from './encode.ts'
import { type IdleHistory, NO_HISTORY } from './idle-history.ts'

export interface HistoriesOptions {
  readonly clock: Clock
  readonly log: Log
  /** As they were loaded at the start. */
  readonly remembered: ReadonlyMap<FunctionName, string>
  readonly save: HistoryStore['save']
}

/** What a crash of the machine costs at most. */
const SAVE_MS = 10_000

export class Histories {
  readonly #options: HistoriesOptions
  /** Encoded: most functions are idle, and decoded they take 2 KB each. */
  readonly #remembered: Map<FunctionName, string>
  readonly #changed = new Map<FunctionName, () => IdleHistory>()
  #timer: Disposable | undefined
  #saving: Promise<void> = Promise.resolve()

  constructor(options: HistoriesOptions) {
    this.#options = options
    this.#remembered = new Map(options.remembered)
  }

  of(name: FunctionName): IdleHistory {
    const text = this.#remembered.get(name)
    return (text === undefined ? undefined : decodeHistory(text)) ?? NO_HISTORY
  }

  /** Will be saved soon: what `history` gives then. */
  changed(name: FunctionName, history: () => IdleHistory): void {
    this.#changed.set(name, history)
    this.#timer ??= this.#options.clock.after(SAVE_MS, () => void this.flush())
  }

  /** The function is gone. */
  forget(name: FunctionName): void {
    this.#changed.delete(name)
    this.#remembered.delete(name)
  }

  /** Saves what has changed. Never rejects: what could not be saved is tried again with the next batch. */
  flush(): Promise<void> {
    this.#timer?.[Symbol.dispose]()
    this.#timer = undefined
    this.#saving = this.#saving.then(() => this.#save())
    return this.#saving
  }

  async #save(): Promise<void> {
    const batch = [...this.#changed]
    if (batch.length === 0) return
    this.#changed.clear()
    const texts = new Map(batch.map(([name, history]) => [name, encodeHistory(history())]))
    for (const [name, text] of texts) this.#remembered.set(name, text)
    try {
      await this.#options.save(texts)
    } catch (error) {
      this.#options.log.warn('idle times could not be saved', { functions: texts.size, error })
      for (const [name, history] of batch) if (!this.#changed.has(name)) this.changed(name, history)
    }
  }
}
