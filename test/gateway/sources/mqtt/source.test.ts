import { once } from 'node:events'
import { createServer, type AddressInfo } from 'node:net'

import { connectAsync, type MqttClient } from 'mqtt'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'

import { mqttSource } from '#gateway/sources/mqtt/source'
import { makeCertificates } from '#test/brokers/certificates'
import { startMosquitto, type Mosquitto } from '#test/brokers/mqtt'

import { noRoom, openSource, type TestContext } from '../open-source.ts'

const WAIT = { timeout: 20_000, interval: 20 }

describe('an mqtt source', () => {
  let server: Mosquitto
  let client: MqttClient
  let count = 0

  beforeAll(async () => {
    server = await startMosquitto()
    client = await connectAsync(server.url, { protocolVersion: 5 })
  })
  afterAll(async () => {
    await client.endAsync()
    await server[Symbol.asyncDispose]()
  })

  const open = (options: Readonly<Record<string, unknown>>, given: Partial<TestContext> = {}) =>
    openSource(mqttSource, { url: server.url, ...options }, { trigger: `t-${count}`, ...given })

  /** Of a test: its trigger and session are its own too. */
  function newTopic(): string {
    return `topic-${++count}`
  }

  it.each([1, 2] as const)('receives messages with quality of service %i in order, and once', async (qos) => {
    const topic = newTopic()
    const texts = Array.from({ length: 30 }, (_, index) => String(index))
    {
      await using opened = await open({ topics: [topic], qos: String(qos) }, { prefetch: 3 })
      for (const text of texts) await client.publishAsync(topic, text, { qos })
      await expect.poll(() => opened.texts, WAIT).toEqual(texts)
    }
    await using again = await open({ topics: [topic], qos: String(qos) })
    await client.publishAsync(topic, 'last', { qos })
    await expect.poll(() => again.texts, WAIT).toEqual(['last'])
  })

  it.each([1, 2] as const)('receives what is not taken again, with quality of service %i', async (qos) => {
    const topic = newTopic()
    const options = { topics: [topic], qos: String(qos) }
    {
      await using opened = await open(options, { prefetch: 2, accept: noRoom })
      for (const text of ['1', '2', '3', '4']) await client.publishAsync(topic, text, { qos })
      await expect.poll(() => opened.texts, WAIT).toEqual(['1', '2'])
    }
    await using again = await open(options)
    await expect.poll(() => again.texts, WAIT).toEqual(['1', '2', '3', '4'])
    expect(again.received.map(({ redelivered }) => redelivered)).toEqual([true, true, false, false])
  })

  it('receives messages without quality of service as long as it has room for them', async () => {
    const topic = newTopic()
    await using opened = await open({ topics: [topic] }, { prefetch: 2, accept: noRoom })
    for (const text of ['1', '2', '3', '4']) await client.publishAsync(topic, text, { qos: 0 })
    await client.publishAsync(topic, '5', { qos: 1 })
    await expect.poll(() => opened.texts, WAIT).toEqual(['1', '2', '5'])
  })

  it.each([
    ['ignore', [], []],
    ['once', ['kept'], []],
    ['always', ['kept'], ['kept']],
  ])('treats retained messages as %s says', async (retained, first, then) => {
    const topic = newTopic()
    await client.publishAsync(topic, 'kept', { qos: 1, retain: true })
    for (const expected of [first, then]) {
      await using opened = await open({ topics: [topic], retained })
      await client.publishAsync(topic, 'live', { qos: 1 })
      await expect.poll(() => opened.texts, WAIT).toEqual([...expected, 'live'])
    }
  })

  it('takes subscriptions back that are not among its topics any more', async () => {
    const topic = newTopic()
    const kept = {}
    await (await open({ topics: [`${topic}/a`, `${topic}/b`] }, { kept }))[Symbol.asyncDispose]()
    await using opened = await open({ topics: [`${topic}/b`] }, { kept })
    for (const level of ['a', 'b']) await client.publishAsync(`${topic}/${level}`, level, { qos: 1 })
    await expect.poll(() => opened.texts, WAIT).toEqual(['b'])
    expect(opened.received[0]?.event.attributes.subject).toBe(`${topic}/b`)
  })

  it('shares a subscription with other clients', async () => {
    const topic = newTopic()
    const topics = [`$share/group/${topic}`]
    await using one = await open({ topics, clientId: `${topic}-1` })
    await using other = await open({ topics, clientId: `${topic}-2` })
    const texts = ['1', '2', '3', '4']
    for (const text of texts) await client.publishAsync(topic, text, { qos: 1 })
    await expect.poll(() => [...one.texts, ...other.texts].toSorted(), WAIT).toEqual(texts)
  })

  it('ends when another client takes its session over', async () => {
    const topic = newTopic()
    await using opened = await open({ topics: [topic], clientId: topic })
    const ended = expect(opened.source.ended).rejects.toThrow(`does another client have the client id "${topic}"?`)
    const other = await connectAsync(server.url, { protocolVersion: 5, clientId: topic })
    await ended
    await other.endAsync()
  })

  it('says why a broker ends the connection, where that tells', async () => {
    // Mosquitto 2.0 does not.
    const broker = createServer((socket) => {
      const answers = [Uint8Array.of(0x20, 3, 0, 0, 0), Uint8Array.of(0xe0, 1, 142)]
      socket.on('data', () => socket.write(answers.shift() ?? '')).on('error', () => {})
    }).listen(0, '127.0.0.1')
    await once(broker, 'listening')
    const { port } = broker.address() as AddressInfo
    await expect(open({ url: `mqtt://127.0.0.1:${port}`, topics: ['a'] })).rejects.toThrow(/session taken over/)
    broker.close()
  })

  it('says where nobody answers', async () => {
    await expect(open({ url: 'mqtt://127.0.0.1:1', topics: ['a'] })).rejects.toThrow(
      /^cannot connect to MQTT at 127.0.0.1:1: .*ECONNREFUSED/,
    )
  })
})

describe('an mqtt source of a broker with users and TLS', () => {
  it('connects with what it is given, and says why not without it', async () => {
    await using certificates = await makeCertificates()
    const { ca, server: own } = certificates
    await using server = await startMosquitto([
      `cafile ${ca}`,
      `certfile ${own.certificate}`,
      `keyfile ${own.key}`,
      'require_certificate true',
      'use_identity_as_username true',
    ])
    const url = `mqtts://${new URL(server.url).host}`
    const fields = await certificates.fields(true)
    await using opened = await openSource(mqttSource, { url, topics: ['a'], ...fields })
    const { tlsCa, tlsCertificate, tlsKey } = fields
    const tls = { ca: String(tlsCa), cert: String(tlsCertificate), key: String(tlsKey) }
    const client = await connectAsync(url, { protocolVersion: 5, ...tls })
    await client.publishAsync('a', '1', { qos: 1 })
    await client.endAsync()
    await expect.poll(() => opened.texts, WAIT).toEqual(['1'])
    await expect(openSource(mqttSource, { url, topics: ['a'] })).rejects.toThrow(
      /cannot connect to MQTT .*certificate/i,
    )
  })

  it('is refused without the right password, which is not shown', async () => {
    await using server = await startMosquitto(['allow_anonymous false'])
    const refused = openSource(mqttSource, { url: server.url.replace('//', '//ada:secret@'), topics: ['a'] })
    await expect(refused).rejects.toThrow(/cannot connect to MQTT at 127.0.0.1:\d+: .*Not authorized/i)
    await expect(refused).rejects.not.toThrow('secret')
  })
})
