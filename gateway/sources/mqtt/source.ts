// MQTT 5.0: a session that the broker keeps, with subscriptions in it. A message is acknowledged when it is taken over, and
// the receive maximum holds the broker back. At least once; in the order of the broker, as long as one is under way.
import type { IPublishPacket, MqttClient } from 'mqtt'

import { goodbye, Settling } from '../settling.ts'
import type { OpenSource, PullSource, SourceContext } from '../source.ts'
import { Acknowledgements } from './acknowledgements.ts'
import { connectTo } from './connection.ts'
import { eventOf } from './message.ts'
import { checkOptions, FIELDS, type MqttOptions } from './options.ts'

/** Retain handling, in the numbers of the protocol. */
const RETAINED: Readonly<Record<MqttOptions['retained'], number>> = { always: 0, once: 1, ignore: 2 }

export const mqttSource: PullSource<typeof FIELDS> = {
  kind: 'mqtt',
  delivery: 'pull',
  fields: FIELDS,
  check: checkOptions,
  open,
}

/** It has no lag: brokers tell nobody how many messages wait in a session. */
async function open(context: SourceContext<MqttOptions>): Promise<OpenSource> {
  await using opening = new AsyncDisposableStack()
  const settling = new Settling(context)
  const { client, loss } = await connectTo(context, (newClient) => receiver(context, settling, newClient))
  opening.defer(() => disconnect(context, client))
  opening.defer(() => settling.whenStopped())
  await Promise.race([subscribe(context, client), loss.ended])
  const opened = opening.move()
  return {
    ended: loss.ended,
    [Symbol.asyncDispose]() {
      loss.closing()
      return opened.disposeAsync()
    },
  }
}

function receiver(
  context: SourceContext<MqttOptions>,
  settling: Settling,
  client: MqttClient,
): (packet: IPublishPacket) => void {
  const { host } = new URL(context.options.url)
  const acknowledgements = new Acknowledgements(client)
  return (packet) => {
    // With quality of service 0 nothing holds the broker back, and a message may be lost anywhere on its way.
    if (packet.qos === 0 && settling.count >= context.prefetch) return
    const acknowledge = packet.qos === 0 ? () => {} : acknowledgements.expect(packet)
    settling.handOver({ event: eventOf(packet, host), redelivered: packet.dup }, { acknowledge })
  }
}

/** Makes the subscriptions of the session those of the trigger: it may have others from before a change. */
async function subscribe({ options, state }: SourceContext<MqttOptions>, client: MqttClient): Promise<void> {
  const { topics, qos, retained } = options
  const before = JSON.parse((await state.get()) ?? '[]') as string[]
  const gone = before.filter((topic) => !topics.includes(topic))
  if (gone.length > 0) await client.unsubscribeAsync(gone)
  const now = JSON.stringify(topics)
  if (now !== JSON.stringify(before)) await state.set(now)
  await client.subscribeAsync([...topics], { qos: qos === '2' ? 2 : 1, rh: RETAINED[retained], rap: true })
}

async function disconnect({ clock }: SourceContext<MqttOptions>, client: MqttClient): Promise<void> {
  await goodbye(client.endAsync(), clock)
  client.stream.destroy()
}
