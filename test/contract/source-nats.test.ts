import { jetstream, jetstreamManager } from '@nats-io/jetstream'
import { connect } from '@nats-io/transport-node'

import { startNats } from '#test/brokers/nats'

import { describeEventSource } from './event-source.ts'

describeEventSource({
  kind: 'nats',
  keyed: true,
  skip: [],
  async start() {
    const server = await startNats()
    const open = () => connect({ servers: server.url })
    return {
      async options(test) {
        const connection = await open()
        await (await jetstreamManager(connection)).streams.add({ name: test, subjects: [`${test}.>`] })
        await connection.close()
        return { url: server.url, stream: test }
      },
      async publish({ stream }, texts) {
        const connection = await open()
        const js = jetstream(connection)
        for (const text of texts) await js.publish(`${String(stream)}.x`, text)
        await connection.close()
      },
      async left({ stream }) {
        const connection = await open()
        const { consumers, streams } = await jetstreamManager(connection)
        const name = String(stream)
        const list = await consumers.list(name).next()
        const info = list[0]
        const { state } = await streams.info(name)
        await connection.close()
        return info === undefined ? state.messages : info.num_pending + info.num_ack_pending
      },
      restart: () => server.restart(),
      [Symbol.asyncDispose]: () => server[Symbol.asyncDispose](),
    }
  },
})
