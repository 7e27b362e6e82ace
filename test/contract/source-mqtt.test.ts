import { connectAsync } from 'mqtt'

import { startMosquitto } from '#test/brokers/mqtt'
import { openGate, type Gate } from '#test/brokers/mqtt-gate'

import { describeEventSource } from './event-source.ts'

const SESSION = { protocolVersion: 5, clean: false, properties: { sessionExpiryInterval: 3600 } } as const

describeEventSource({
  kind: 'mqtt',
  keyed: false,
  skip: [
    {
      reason: 'MQTT brokers tell nobody how many messages wait in a session',
      tests: ['the status tells how many events wait at the broker'],
    },
  ],
  async start() {
    await using starting = new AsyncDisposableStack()
    const server = starting.use(await startMosquitto())
    const gates = new Map<unknown, { readonly gate: Gate; published: number }>()
    const started = starting.move()
    return {
      async options(test) {
        const gate = started.use(await openGate(server.url))
        gates.set(gate.url, { gate, published: 0 })
        // A broker keeps what comes once there is a session, as a first start of the trigger makes one.
        const client = await connectAsync(server.url, { ...SESSION, clientId: test })
        await client.subscribeAsync(`${test}/#`, { qos: 1, rap: true, rh: 1 })
        await client.endAsync()
        return { url: gate.url, topics: [`${test}/#`], clientId: test }
      },
      async publish({ url, clientId }, texts) {
        const client = await connectAsync(server.url, { protocolVersion: 5 })
        for (const text of texts) await client.publishAsync(`${String(clientId)}/x`, text, { qos: 1 })
        await client.endAsync()
        const counts = gates.get(url)
        if (counts !== undefined) counts.published += texts.length
      },
      async left({ url }) {
        const counts = gates.get(url)
        return counts === undefined ? 0 : counts.published - counts.gate.acknowledged
      },
      restart: () => server.restart(),
      [Symbol.asyncDispose]: () => started.disposeAsync(),
    }
  },
})
