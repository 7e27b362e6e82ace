// A way to an MQTT broker that counts what goes through it: no broker tells how many messages of a session are left.
import { once } from 'node:events'
import { connect, createServer, type AddressInfo } from 'node:net'

const PUBACK = 4

export interface Gate extends AsyncDisposable {
  readonly url: string
  /** Messages with quality of service 1 that clients have acknowledged. */
  readonly acknowledged: number
}

/** @param broker its URL; it may be away for a while */
export async function openGate(broker: string): Promise<Gate> {
  const { hostname, port } = new URL(broker)
  let acknowledged = 0
  const server = createServer((client) => {
    const upstream = connect(Number(port), hostname)
    const count = packetCounter((type) => (acknowledged += type === PUBACK ? 1 : 0))
    client.on('data', count)
    client.pipe(upstream).pipe(client)
    for (const [one, other] of [
      [client, upstream],
      [upstream, client],
    ] as const) {
      one.on('error', () => other.destroy())
      one.on('close', () => other.destroy())
    }
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  return {
    url: `mqtt://127.0.0.1:${(server.address() as AddressInfo).port}`,
    get acknowledged() {
      return acknowledged
    },
    async [Symbol.asyncDispose]() {
      server.close()
    },
  }
}

/** @returns what to call with the bytes of a connection, in order */
function packetCounter(onPacket: (type: number) => void): (bytes: Uint8Array) => void {
  let rest = Buffer.alloc(0)
  return (bytes) => {
    rest = Buffer.concat([rest, bytes])
    for (let size = sizeOf(rest); size !== undefined && size <= rest.length; size = sizeOf(rest)) {
      onPacket((rest[0] ?? 0) >> 4)
      rest = rest.subarray(size)
    }
  }
}

/** Of the first packet, when its length is there: 7 bits a byte, the lowest first. */
function sizeOf(bytes: Uint8Array): number | undefined {
  let length = 0
  for (let index = 1; index < bytes.length; index++) {
    const byte = bytes[index] ?? 0
    length += (byte & 0x7f) * 128 ** (index - 1)
    if ((byte & 0x80) === 0) return index + 1 + length
  }
  return undefined
}
