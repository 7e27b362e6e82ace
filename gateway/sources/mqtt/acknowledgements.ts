// Acknowledges messages once they are taken over, in the order in which they came, as MQTT demands.
//
// The client acknowledges by itself, one message after the other, and handles no other packet until that is done: neither
// the next message nor the answer to a ping. So it is told to leave each one unacknowledged, and that is written here.
import type { IPublishPacket, MqttClient } from 'mqtt'

/** PUBACK for quality of service 1, PUBREC for 2; the rest of the exchange of 2 is the client's. */
const PACKET_TYPES: Readonly<Record<number, number>> = { 1: 0x40, 2: 0x50 }

interface Waiting {
  readonly bytes: Uint8Array
  isTaken: boolean
}

export class Acknowledgements {
  readonly #client: Pick<MqttClient, 'stream' | 'connected'>
  #waiting: Waiting[] = []

  constructor(client: Pick<MqttClient, 'stream' | 'connected'>) {
    this.#client = client
  }

  /** @returns what to call when the message is taken over */
  expect({ qos, messageId = 0 }: Pick<IPublishPacket, 'qos' | 'messageId'>): () => void {
    const bytes = Uint8Array.of(PACKET_TYPES[qos] ?? 0, 2, messageId >> 8, messageId & 0xff)
    const waiting = { bytes, isTaken: false }
    this.#waiting.push(waiting)
    return () => {
      waiting.isTaken = true
      this.#send()
    }
  }

  #send(): void {
    const next = this.#waiting.findIndex(({ isTaken }) => !isTaken)
    const taken = this.#waiting.splice(0, next === -1 ? this.#waiting.length : next)
    if (this.#client.connected) for (const { bytes } of taken) this.#client.stream.write(bytes)
  }
}
