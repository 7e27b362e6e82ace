import { Writable } from 'node:stream'

import type { MqttClient } from 'mqtt'
import { describe, expect, it } from 'vitest'

import { Acknowledgements } from '#gateway/sources/mqtt/acknowledgements'

function start(connected = true) {
  const chunks: Uint8Array[] = []
  const stream = new Writable({
    write(chunk: Uint8Array, _, done) {
      chunks.push(chunk)
      done()
    },
  })
  const client = { stream, connected } as unknown as Pick<MqttClient, 'stream' | 'connected'>
  return { acknowledgements: new Acknowledgements(client), sent: () => chunks.flatMap((chunk) => [...chunk]) }
}

describe('acknowledgements', () => {
  it('are a PUBACK for quality of service 1, and a PUBREC for 2', () => {
    const { acknowledgements, sent } = start()
    acknowledgements.expect({ qos: 1, messageId: 0x1234 })()
    acknowledgements.expect({ qos: 2, messageId: 7 })()
    expect(sent()).toEqual([0x40, 2, 0x12, 0x34, 0x50, 2, 0, 7])
  })

  it('are sent in the order in which the messages came', () => {
    const { acknowledgements, sent } = start()
    const [first, second, third] = [1, 2, 3].map((messageId) => acknowledgements.expect({ qos: 1, messageId }))
    third?.()
    second?.()
    expect(sent()).toEqual([])
    first?.()
    expect(sent()).toEqual([1, 2, 3].flatMap((id) => [0x40, 2, 0, id]))
  })

  it('are not sent when the connection is lost', () => {
    const { acknowledgements, sent } = start(false)
    acknowledgements.expect({ qos: 1, messageId: 1 })()
    expect(sent()).toEqual([])
  })
})
