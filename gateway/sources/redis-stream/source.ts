// Redis streams: a consumer group, acknowledged entry by entry. The trigger is one consumer, under one name wherever it
// runs, so what a process that died had taken is read again by the next. At least once; in the order of the stream.
import type { Redis } from 'ioredis'

import { Held } from '../held.ts'
import { goodbye, Settling } from '../settling.ts'
import type { OpenSource, PullSource, SourceContext } from '../source.ts'
import { connectTo } from './connection.ts'
import { ensureGroup, lagOf } from './group.ts'
import { eventOf } from './message.ts'
import { checkOptions, FIELDS, type RedisStreamOptions } from './options.ts'

const COMMAND_MS = 10_000
const BLOCK_MS = 5000
/** Most entries of one answer. */
const MAX_COUNT = 500
/** How often what other consumers left is looked for, at least; less when it is to be taken over sooner. */
const CLAIM_EVERY_MS = 30_000

export const redisStreamSource: PullSource<typeof FIELDS> = {
  kind: 'redis-stream',
  delivery: 'pull',
  fields: FIELDS,
  check: checkOptions,
  open,
}

type Context = SourceContext<RedisStreamOptions>

async function open(context: Context): Promise<OpenSource> {
  const { clock, options } = context
  await using opening = new AsyncDisposableStack()
  const commands = await connectTo(context, COMMAND_MS)
  opening.defer(() => goodbye(commands.quit(), clock).finally(() => commands.disconnect()))
  const group = await ensureGroup(commands, context)
  // While it waits for entries nothing else can use it.
  const blocked = await connectTo(context, COMMAND_MS + BLOCK_MS)
  opening.defer(() => blocked.disconnect())
  const lost = Promise.withResolvers<never>()
  lost.promise.catch(() => {})
  commands.once('end', () => lost.reject(new Error('the connection to Redis is lost')))
  const receiver = new Receiver(context, { commands, blocked, group, onFault: lost.reject })
  const reading = receiver.read()
  reading.catch(lost.reject)
  opening.defer(async () => {
    receiver.stop()
    // It may be waiting for entries.
    blocked.disconnect()
    await reading.catch(() => {})
    await receiver.settled()
  })
  const opened = opening.move()
  return {
    lag: () => lagOf(commands, options.stream, group, clock.now()),
    ended: lost.promise,
    [Symbol.asyncDispose]: () => opened.disposeAsync(),
  }
}

interface Connections {
  readonly commands: Redis
  readonly blocked: Redis
  readonly group: string
  /** What was not acknowledged is read again when the source is opened again. */
  readonly onFault: (error: unknown) => void
}

/** An entry of an answer; without fields it was deleted from the stream after it had been handed out. */
type Entry = readonly [id: Buffer, fields: readonly Buffer[] | null]

class Receiver {
  readonly #context: Context
  readonly #connections: Connections
  readonly #held: Held<string>
  readonly #settling: Settling
  #claimed: number

  constructor(context: Context, connections: Connections) {
    this.#context = context
    this.#connections = connections
    this.#held = new Held(context.prefetch)
    this.#settling = new Settling(context)
    this.#claimed = context.clock.monotonic()
  }

  /** Until stopped. @throws Error when nothing more can be read */
  async read(): Promise<void> {
    // What was handed out before and not acknowledged comes first, for it is older.
    for (let after: string | undefined = '0'; after !== undefined && !this.#held.isClosed;) {
      const pending = await this.#fetch(after, await this.#room())
      this.#handOver(pending, true)
      after = pending.at(-1)?.[0].toString()
    }
    while (!this.#held.isClosed) {
      if (this.#isTimeToClaim()) await this.#claim()
      const count = await this.#room()
      if (count > 0) this.#handOver(await this.#fetch('>', count), false)
    }
  }

  stop(): void {
    this.#held.close()
  }

  async settled(): Promise<void> {
    await this.#settling.whenStopped()
  }

  async #room(): Promise<number> {
    return Math.min(MAX_COUNT, await this.#held.roomFree())
  }

  /** @param after an id, for what is pending; `>`: new ones, which it waits for */
  async #fetch(after: string, count: number): Promise<readonly Entry[]> {
    if (count === 0) return []
    const { blocked, group } = this.#connections
    const { stream } = this.#context.options
    const who = ['GROUP', group, this.#consumer] as const
    const reply = (await blocked.xreadgroupBuffer(
      ...who,
      'COUNT',
      count,
      'BLOCK',
      BLOCK_MS,
      'STREAMS',
      stream,
      after,
    )) as unknown as [[Buffer, Entry[]]] | null
    return reply?.[0][1] ?? []
  }

  get #consumer(): string {
    return `hearth-${this.#context.trigger}`
  }

  #isTimeToClaim(): boolean {
    const { clock, options } = this.#context
    const every = Math.min(CLAIM_EVERY_MS, options.claimAfterMs)
    return options.claimAfterMs > 0 && clock.monotonic() - this.#claimed >= every
  }

  async #claim(): Promise<void> {
    const { options, clock } = this.#context
    const { commands, group } = this.#connections
    const { stream, claimAfterMs } = options
    let next = '0-0'
    do {
      const count = await this.#room()
      if (count === 0) return
      const who = [stream, group, this.#consumer, claimAfterMs, next]
      const reply = await commands.callBuffer('XAUTOCLAIM', ...who, 'COUNT', count)
      const [cursor, entries] = reply as [Buffer, (Entry | null)[]]
      // Among them are those that wait here for so long. Redis 6 also has something in place of deleted ones.
      const others = entries.filter((entry) => entry !== null && !this.#held.has(entry[0].toString()))
      this.#handOver(others as Entry[], true)
      next = cursor.toString()
    } while (next !== '0-0')
    this.#claimed = clock.monotonic()
  }

  #handOver(entries: readonly Entry[], redelivered: boolean): void {
    const { stream, field } = this.#context.options
    for (const [bytes, fields] of entries) {
      const id = bytes.toString()
      // Nobody can have it any more.
      if (fields === null) void this.#acknowledge(id)
      else {
        this.#held.take(id, id)
        const received = { event: eventOf({ id, fields }, stream, field), key: id, redelivered }
        this.#settling.handOver(received, { acknowledge: () => this.#acknowledge(id) })
      }
    }
  }

  async #acknowledge(id: string): Promise<void> {
    const { commands, group, onFault } = this.#connections
    const { stream, delete: deletes } = this.#context.options
    try {
      const change = commands.multi().xack(stream, group, id)
      const answers = await (deletes ? change.xdel(stream, id) : change).exec()
      for (const [error] of answers ?? []) if (error !== null) throw error
      this.#held.release(id)
    } catch (error) {
      onFault(error)
    }
  }
}
