// NATS JetStream: a durable pull consumer of a stream. Messages are acknowledged one by one, and the server is told that
// those which wait here are being worked on. At least once; in the order of the stream, as long as one is under way.
import type { Consumer, ConsumerMessages, JetStreamManager, JsMsg } from '@nats-io/jetstream'
import type { NatsConnection } from '@nats-io/transport-node'

import { Loss } from '../loss.ts'
import { goodbye, Settling } from '../settling.ts'
import type { OpenSource, PullSource, SourceContext } from '../source.ts'
import { connectTo } from './connection.ts'
import { ACK_WAIT_MS, ensureConsumer } from './consumer.ts'
import { eventOf } from './message.ts'
import { checkOptions, FIELDS, type NatsOptions } from './options.ts'

/**
 * How long a request for messages stands. A server before 2.10 looks for messages of a subject that was changed only when
 * half of it is over.
 */
const REQUEST_MS = 10_000

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
  const loss = lossOf(connection)
  const { jetstreamManager } = await import('@nats-io/jetstream')
  const manager = await jetstreamManager(connection)
  const created = await creationOf(manager, options.stream)
  const durable = await ensureConsumer(manager, context, created)
  const consumer = await manager.jetstream().consumers.get(options.stream, durable)
  const messages = await consumer.consume({
    max_messages: context.prefetch,
    expires: REQUEST_MS,
    abort_on_missing_resource: true,
  })
  opening.use(receive(context, { consumer, messages, created, loss }))
  const opened = opening.move()
  return {
    lag: () => lagOf(consumer),
    ended: loss.ended,
    [Symbol.asyncDispose]() {
      loss.closing()
      return opened.disposeAsync()
    },
  }
}

function lossOf(connection: NatsConnection): Loss {
  const loss = new Loss()
  void reportClosing(connection, loss)
  return loss
}

async function reportClosing(connection: NatsConnection, loss: Loss): Promise<void> {
  const error = await connection.closed()
  const words = error instanceof Error ? `lost: ${error.message}` : 'closed'
  loss.report(new Error(`the connection to NATS is ${words}`))
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

interface Reception {
  readonly consumer: Consumer
  readonly messages: ConsumerMessages
  /** When the stream was made: another one of the same name counts from 1 again. */
  readonly created: string
  /** Told when no more messages can come. */
  readonly loss: Loss
}

/** Until disposed. */
function receive(
  context: SourceContext<NatsOptions>,
  { consumer, messages, created, loss }: Reception,
): AsyncDisposable {
  const { clock, options } = context
  const settling = new Settling(context)
  const held = new Set<JsMsg>()
  const returned: JsMsg[] = []
  const handOver = (message: JsMsg): void => {
    held.add(message)
    const event = eventOf(message, options.stream)
    const received = { event, key: `${created}/${message.seq}`, redelivered: message.redelivered }
    settling.handOver(received, {
      acknowledge() {
        held.delete(message)
        message.ack()
      },
      giveBack: () => void returned.push(message),
    })
  }
  const reading = read(messages, handOver).catch((error: Error) => loss.report(error))
  const atWork = clock.every(ACK_WAIT_MS / 3, () => tell(held, 'working'))
  return {
    async [Symbol.asyncDispose]() {
      await messages.close()
      await reading
      await settling.whenStopped()
      atWork[Symbol.dispose]()
      // A server before 2.10 answers the requests of messages that are closed here with what is given back; asking for
      // the consumer makes it forget them.
      if (returned.length > 0) await goodbye(consumer.info(), clock)
      tell(returned, 'nak')
    },
  }
}

async function read(messages: AsyncIterable<JsMsg>, onMessage: (message: JsMsg) => void): Promise<void> {
  for await (const message of messages) onMessage(message)
}

function tell(messages: Iterable<JsMsg>, what: 'working' | 'nak'): void {
  try {
    for (const message of messages) message[what]()
  } catch {
    // The connection is lost, which is told elsewhere.
  }
}
