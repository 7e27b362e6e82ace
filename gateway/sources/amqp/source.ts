// RabbitMQ, by AMQP 0-9-1: a consumer of a queue. Messages are acknowledged one by one. At least once; in the order of the
// queue, as long as one is under way and nothing is returned to it.
import type { Channel, ChannelModel, ConsumeMessage } from 'amqplib'

import { Loss } from '../loss.ts'
import { goodbye, Settling } from '../settling.ts'
import type { OpenSource, PullSource, SourceContext } from '../source.ts'
import { connectTo } from './connection.ts'
import { receivedOf } from './message.ts'
import { checkOptions, FIELDS, type AmqpOptions } from './options.ts'

/** What the protocol has room for. */
const MAX_PREFETCH = 65_535

export const amqpSource: PullSource<typeof FIELDS> = {
  kind: 'amqp',
  delivery: 'pull',
  fields: FIELDS,
  check: checkOptions,
  open,
}

async function open(context: SourceContext<AmqpOptions>): Promise<OpenSource> {
  const { clock, options } = context
  await using opening = new AsyncDisposableStack()
  const connection = await connectTo(context)
  const loss = lossOf(connection)
  // Channels are closed with it, once what was written before is dealt with.
  opening.defer(() => goodbye(connection.close(), clock))
  const channel = await connection.createChannel()
  channel.on('error', (error) => loss.report(error))
  await prepareQueue(channel, options)
  await channel.prefetch(Math.min(MAX_PREFETCH, context.prefetch))
  const settling = new Settling(context)
  opening.defer(() => settling.whenStopped())
  const { consumerTag } = await channel.consume(options.queue, (message) => {
    if (message === null)
      loss.report(new Error(`RabbitMQ ended the consumer: was the queue "${options.queue}" removed?`))
    else handOver(settling, { channel, message, queue: options.queue })
  })
  opening.defer(() => goodbye(channel.cancel(consumerTag), clock))
  const opened = opening.move()
  return {
    async lag() {
      const { messageCount } = await channel.checkQueue(options.queue)
      return { events: messageCount + settling.count }
    },
    ended: loss.ended,
    [Symbol.asyncDispose]() {
      loss.closing()
      return opened.disposeAsync()
    },
  }
}

function lossOf(connection: ChannelModel): Loss {
  const loss = new Loss()
  connection.on('error', (error) => loss.report(new Error(`the connection to RabbitMQ is lost: ${error.message}`)))
  connection.on('close', () => loss.report(new Error('the connection to RabbitMQ is closed')))
  return loss
}

interface Delivery {
  readonly channel: Channel
  readonly message: ConsumeMessage
  readonly queue: string
}

function handOver(settling: Settling, { channel, message, queue }: Delivery): void {
  settling.handOver(receivedOf(message, queue), {
    acknowledge: () => channel.ack(message),
    giveBack: () => channel.nack(message, false, true),
  })
}

/** @throws Error when the queue or the exchange is not there, or cannot be made so */
async function prepareQueue(channel: Channel, options: AmqpOptions): Promise<void> {
  const { queue, declare, exchange, routingKeys } = options
  if (declare === 'no') await channel.checkQueue(queue)
  else await channel.assertQueue(queue, { durable: true, arguments: { 'x-queue-type': declare } })
  if (exchange === '') return
  const keys = routingKeys.length === 0 ? [''] : routingKeys
  for (const key of keys) await channel.bindQueue(queue, exchange, key)
}
