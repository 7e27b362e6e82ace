// NATS JetStream: a durable pull consumer of a stream. Messages are acknowledged one by one, and the server is told that
// those which wait here are being worked on. At least once; in the order of the stream, as long as one is under way.
import type { Consumer, ConsumerMessages, JetStreamManager, JsMsg } from '@nats-io/jetstream'

import { goodbye, Settling } from '../settling.ts'
import type { OpenSource, PullSource, SourceContext } from '../source.ts'
import { connectTo } from './connection.ts'
import { ACK_WAIT_MS, ensureConsumer } from './consumer.ts'
import { eventOf } from './message.ts'
import { checkOptions, FIELDS, type NatsOptions } from './options.ts'

export const natsSource: PullSource<typeof FIELDS> = {
  kind: 'nats',
  delivery: 'pull',
  fields: FIELDS,
  check: checkOptions,
  open,
}

async function open(context: SourceContext<NatsOptions>): Promise<OpenSource> {
  const { options, clock } = context
  await using opening = new AsyncDisposableStack()
  const connection = await connectTo(context)
  opening.defer(() => goodbye(connection.drain(), clock))
  const { jetstreamManager } = await import('@nats-io/jetstream')
  const manager = await jetstreamManager(connection)
  const created = await creationOf(manager, options.stream)
  const durable = await ensureConsumer(manager, context, created)
  const consumer = await manager.jetstream().consumers.get(options.stream, durable)
  const messages = await consumer.consume({ max_messages: context.prefetch, abort_on_missing_resource: true })
  const receiving = receive(context, messages, created)
  opening.defer(() => receiving[Symbol.asyncDispose]())
  const ended = Promise.withResolvers<never>()
  let closing = false
  receiving.ended.catch(ended.reject)
  void connection.closed().then((error) => closing || ended.reject(lost(error)))
  const opened = opening.move()
  return {
    lag: () => lagOf(consumer),
    ended: ended.promise,
    [Symbol.asyncDispose]() {
      closing = true
      return opened.disposeAsync()
    },
  }
}

/** @throws Error when there is no such stream, or no JetStream */
async function creationOf(manager: JetStreamManager, stream: string): Promise<string> {
  try {
    return (await manager.streams.info(stream)).created
  } catch (error) {
    if (!(error instanceof Error) || error.name !== 'StreamNotFoundError') throw error
    throw new Error(`there is no JetStream stream "${stream}"`, { cause: error })
  }
}

async function lagOf(consumer: Consumer): Promise<{ events: number }> {
  const { num_pending: waiting, num_ack_pending: handedOut } = await consumer.info()
  return { events: waiting + handedOut }
}

function lost(error: Error | void): Error {
  return new Error(`the connection to NATS is lost${error instanceof Error ? `: ${error.message}` : ''}`)
}

interface Receiving extends AsyncDisposable {
  /** Rejects when no more messages can come. */
  readonly ended: Promise<void>
}

/** Until disposed. @param created when the stream was made: another one of the same name counts from 1 again */
function receive(context: SourceContext<NatsOptions>, messages: ConsumerMessages, created: string): Receiving {
  const { stream } = context.options
  const settling = new Settling(context)
  const held = new Set<JsMsg>()
  const settled = (message: JsMsg, how: 'ack' | 'nak'): void => {
    held.delete(message)
    message[how]()
  }
  const read = async (): Promise<void> => {
    for await (const message of messages) {
      held.add(message)
      const received = {
        event: eventOf(message, stream),
        key: `${created}/${message.seq}`,
        redelivered: message.redelivered,
      }
      const giveBack = (): void => settled(message, 'nak')
      settling.handOver(received, { acknowledge: () => settled(message, 'ack'), giveBack })
    }
  }
  const atWork = context.clock.every(ACK_WAIT_MS / 3, () => {
    try {
      for (const message of held) message.working()
    } catch {
      // The connection is lost, which `ended` says.
    }
  })
  const ended = read()
  return {
    ended,
    async [Symbol.asyncDispose]() {
      await messages.close()
      await ended.catch(() => {})
      await settling.whenStopped()
      atWork[Symbol.dispose]()
    },
  }
}
