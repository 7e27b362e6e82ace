// Takes rows of an outbox table and removes those that are in the lane. Rows are locked while they wait here, so that no
// other worker on the table takes them; in transactions that are short, for a long one keeps the server from cleaning up.
import type { Client } from 'pg'

import { Held } from '../held.ts'
import { Settling } from '../settling.ts'
import type { SourceContext } from '../source.ts'
import { eventOf } from './message.ts'
import type { PostgresOptions } from './options.ts'
import { outboxOf, type Outbox, type OutboxRows } from './outbox.ts'

/** Longest transaction. */
const HOLD_MS = 10_000
/** Most rows of one answer. */
const MAX_TAKEN = 500
/** Most rows that are held: each turn sends their ids. */
const MAX_HELD = 5000

export class OutboxReceiver {
  readonly #context: SourceContext<PostgresOptions>
  readonly #client: Client
  readonly #outbox: Outbox
  /** By id, until they are removed. */
  readonly #held: Held<string>
  readonly #settling: Settling
  #done: string[] = []
  /** Something happened since it was last waited for. */
  #isRung = false
  #rung = Promise.withResolvers<void>()

  constructor(context: SourceContext<PostgresOptions>, client: Client) {
    this.#context = context
    this.#client = client
    this.#outbox = outboxOf(client, context.options)
    this.#held = new Held(Math.min(MAX_HELD, context.prefetch))
    this.#settling = new Settling(context)
  }

  /** Until stopped. @throws Error when the table cannot be read or written */
  async read(): Promise<void> {
    while (!this.#held.isClosed) {
      // When nothing is held there is nothing to lock, and no transaction to wait in.
      if (!(await this.#turn())) await this.#event()
    }
  }

  /** There may be new rows. Where there is no room for them they are found once there is. */
  notified(): void {
    if (this.#held.room > 0) this.#wake()
  }

  stop(): void {
    this.#held.close()
    this.#wake()
  }

  /** After `read` has ended. */
  async settled(): Promise<void> {
    await this.#settling.whenStopped()
    await this.#outbox.remove(this.#done.splice(0))
  }

  #wake(): void {
    this.#isRung = true
    this.#rung.resolve()
  }

  /** One transaction. Returns false when there was nothing to do. */
  async #turn(): Promise<boolean> {
    const held = this.#held.all()
    await this.#client.query('BEGIN ISOLATION LEVEL READ COMMITTED')
    await this.#outbox.lock(held)
    this.#handOver(await this.#outbox.take(Math.min(MAX_TAKEN, this.#held.room), held))
    const isBusy = this.#held.size > 0
    if (isBusy) await this.#event()
    const done = this.#done.splice(0)
    await this.#outbox.remove(done)
    await this.#client.query('COMMIT')
    for (const id of done) this.#held.release(id)
    return isBusy
  }

  #handOver({ rows, payloadType }: OutboxRows): void {
    for (const row of rows) {
      const { id } = row
      this.#held.take(id, id)
      const event = eventOf(row, this.#context.options.table, payloadType)
      const acknowledge = (): void => {
        this.#done.push(id)
        this.#wake()
      }
      this.#settling.handOver({ event, key: `${row.version}/${id}` }, { acknowledge })
    }
  }

  /** Resolves when rows are settled, may have come, or could have come without being told of. */
  async #event(): Promise<void> {
    const { clock, options } = this.#context
    {
      using _timer = clock.after(Math.min(options.pollMs, this.#held.size > 0 ? HOLD_MS : Infinity), () => this.#wake())
      if (!this.#isRung) await this.#rung.promise
    }
    // What is settled together is removed together.
    await new Promise<void>((resolve) => void setImmediate(resolve))
    this.#isRung = false
    this.#rung = Promise.withResolvers()
  }
}
