import { randomUUID } from 'node:crypto'

import { connect, type ConfirmChannel } from 'amqplib'

import { startRabbit } from '#test/brokers/amqp'

import { describeEventSource } from './event-source.ts'

describeEventSource({
  kind: 'amqp',
  keyed: true,
  skip: [],
  async start() {
    const server = await startRabbit()
    const withQueue = async <T>(name: unknown, task: (channel: ConfirmChannel, queue: string) => Promise<T>) => {
      const connection = await connect(server.url)
      try {
        const channel = await connection.createConfirmChannel()
        const { queue } = await channel.assertQueue(String(name), { arguments: { 'x-queue-type': 'classic' } })
        return await task(channel, queue)
      } finally {
        await connection.close()
      }
    }
    return {
      options: async (test) => ({ url: server.url, queue: test, declare: 'classic' }),
      publish: ({ queue: name }, texts) =>
        withQueue(name, async (channel, queue) => {
          for (const text of texts) {
            channel.sendToQueue(queue, Buffer.from(text), { messageId: randomUUID(), persistent: true })
          }
          await channel.waitForConfirms()
        }),
      left: async ({ queue }) => (await server.messages(String(queue))) ?? 0,
      restart: () => server.restart(),
      [Symbol.asyncDispose]: () => server[Symbol.asyncDispose](),
    }
  },
})
