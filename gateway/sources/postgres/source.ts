// PostgreSQL: the rows of an outbox table, with LISTEN/NOTIFY or by polling: at least once, in the order of the ids that
// are there. Or notifications without a table: at most once, for the server keeps none.
import type { Client } from 'pg'

import { Held } from '../held.ts'
import { goodbye, Settling } from '../settling.ts'
import type { OpenSource, PullSource, SourceContext } from '../source.ts'
import { connectTo } from './connection.ts'
import { eventOfNotification } from './message.ts'
import { checkOptions, FIELDS, type PostgresOptions } from './options.ts'
import { lagOf, outboxOf, quote } from './outbox.ts'
import { OutboxReceiver } from './receiver.ts'

export const postgresSource: PullSource<typeof FIELDS> = {
  kind: 'postgres',
  delivery: 'pull',
  fields: FIELDS,
  check: checkOptions,
  open: (context) => (context.options.table === '' ? openChannel(context) : openTable(context)),
}

type Context = SourceContext<PostgresOptions>

async function openTable(context: Context): Promise<OpenSource> {
  const { options } = context
  await using opening = new AsyncDisposableStack()
  const lost = new Loss()
  const client = await session(context, opening, lost)
  await outboxOf(client, options).check()
  // Notifications do not reach a session that is in a transaction.
  const listener = await session(context, opening, lost)
  const receiver = new OutboxReceiver(context, client)
  if (options.channel !== '') {
    listener.on('notification', () => receiver.notified())
    await listener.query(`LISTEN ${quote(options.channel)}`)
  }
  const reading = receiver.read()
  reading.catch(lost.reject)
  opening.defer(async () => {
    receiver.stop()
    await goodbye(
      reading.then(() => receiver.settled()),
      context.clock,
    )
  })
  return opened(opening, lost, () => lost.unlessAnswered(lagOf(listener, options)))
}

async function openChannel(context: Context): Promise<OpenSource> {
  const { options, clock, prefetch } = context
  await using opening = new AsyncDisposableStack()
  const lost = new Loss()
  const client = await session(context, opening, lost)
  const { stream } = client.connection
  const held = new Held<undefined>(prefetch)
  const settling = new Settling(context)
  opening.defer(() => settling.whenStopped())
  let count = 0
  client.on('notification', ({ channel, payload = '' }) => {
    const id = String(count++)
    const release = (): void => {
      held.release(id)
      if (held.room > 0) stream.resume()
    }
    held.take(id, undefined)
    // The server keeps what is not read.
    if (held.room === 0) stream.pause()
    settling.handOver(
      { event: eventOfNotification(payload, channel, clock.now()) },
      { acknowledge: release, giveBack: release },
    )
  })
  await client.query(`LISTEN ${quote(options.channel)}`)
  return opened(opening, lost)
}

async function session(context: Context, opening: AsyncDisposableStack, lost: Loss): Promise<Client> {
  const client = await connectTo(context)
  client.on('error', (error) => lost.reject(new Error(`the connection to PostgreSQL is lost: ${error.message}`)))
  client.on('end', () => lost.reject(new Error('the connection to PostgreSQL is closed')))
  opening.defer(async () => {
    await goodbye(client.end(), context.clock)
    client.connection.stream.destroy()
  })
  return client
}

function opened(opening: AsyncDisposableStack, lost: Loss, lag?: NonNullable<OpenSource['lag']>): OpenSource {
  const resources = opening.move()
  return {
    ...(lag === undefined ? {} : { lag }),
    ended: lost.promise,
    [Symbol.asyncDispose]: () => resources.disposeAsync(),
  }
}

/** What ends the source; the first reason counts. */
class Loss {
  readonly promise: Promise<never>
  readonly reject: (reason: unknown) => void

  constructor() {
    const { promise, reject } = Promise.withResolvers<never>()
    // It may be lost while it is being opened, or closed, when nobody waits for it.
    promise.catch(() => {})
    this.promise = promise
    this.reject = reject
  }

  /** A question that the server has refused or given up is no loss. */
  async unlessAnswered<T>(question: Promise<T>): Promise<T> {
    try {
      return await question
    } catch (error) {
      const isAnswer = error instanceof Error && 'severity' in error
      if (!isAnswer) this.reject(error)
      throw error
    }
  }
}
