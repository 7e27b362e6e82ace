import { connect, type ChannelModel, type ConfirmChannel } from 'amqplib'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'

import { amqpSource } from '#gateway/sources/amqp/source'
import { startRabbit, type RabbitServer } from '#test/brokers/amqp'
import { makeCertificates, type Certificates } from '#test/brokers/certificates'
import { freePort } from '#test/brokers/port'

import { noRoom, openSource, type TestContext } from '../open-source.ts'

const WAIT = { timeout: 20_000, interval: 20 }

describe('an amqp source', () => {
  let server: RabbitServer
  let certificates: Certificates
  let tlsPort: number
  let connection: ChannelModel
  let channel: ConfirmChannel
  let count = 0

  beforeAll(async () => {
    certificates = await makeCertificates()
    tlsPort = await freePort()
    const { ca, server: own } = certificates
    server = await startRabbit([
      `listeners.ssl.1 = 127.0.0.1:${tlsPort}`,
      `ssl_options.cacertfile = ${ca}`,
      `ssl_options.certfile = ${own.certificate}`,
      `ssl_options.keyfile = ${own.key}`,
      'ssl_options.verify = verify_peer',
      'ssl_options.fail_if_no_peer_cert = true',
    ])
    connection = await connect(server.url)
    channel = await connection.createConfirmChannel()
  })
  afterAll(async () => {
    await connection.close()
    await server[Symbol.asyncDispose]()
    await certificates[Symbol.asyncDispose]()
  })

  const open = (options: Readonly<Record<string, unknown>>, given: Partial<TestContext> = {}) =>
    openSource(amqpSource, { url: server.url, ...options }, given)

  async function makeQueue(): Promise<string> {
    const { queue } = await channel.assertQueue(`queue-${count++}`)
    return queue
  }

  async function send(queue: string, texts: readonly string[]): Promise<void> {
    for (const text of texts) channel.sendToQueue(queue, Buffer.from(text))
    await channel.waitForConfirms()
  }

  it('says that there is no such queue', async () => {
    await expect(open({ queue: 'none' })).rejects.toThrow("no queue 'none' in vhost '/'")
  })

  it.each(['classic', 'quorum'])('makes a durable %s queue when it is told to', async (declare) => {
    const queue = `made-${declare}`
    await using opened = await open({ queue, declare })
    await send(queue, ['1', '2'])
    await expect.poll(() => opened.texts, WAIT).toEqual(['1', '2'])
    await using _again = await open({ queue, declare })
  })

  it('refuses a queue of another type than the one it is to make', async () => {
    const queue = await makeQueue()
    await expect(open({ queue, declare: 'quorum' })).rejects.toThrow(/inequivalent arg 'x-queue-type'/)
  })

  it('binds the queue to an exchange by its keys', async () => {
    await channel.assertExchange('shop', 'topic')
    await using opened = await open({
      queue: 'bound',
      declare: 'classic',
      exchange: 'shop',
      routingKeys: 'order.*,refund.#',
    })
    for (const key of ['order.paid', 'other', 'refund.a.b']) channel.publish('shop', key, Buffer.from(key))
    await channel.waitForConfirms()
    await expect.poll(() => opened.texts, WAIT).toEqual(['order.paid', 'refund.a.b'])
    expect(opened.received[0]?.event.attributes.subject).toBe('order.paid')
    await expect(open({ queue: 'bound', exchange: 'none' })).rejects.toThrow("no exchange 'none' in vhost '/'")
  })

  it('receives no more than the prefetch, tells what waits, and gives back what was not taken when it stops', async () => {
    const queue = await makeQueue()
    await send(queue, ['1', '2', '3', '4', '5'])
    {
      await using opened = await open({ queue }, { prefetch: 2, accept: noRoom })
      await expect.poll(() => opened.texts, WAIT).toEqual(['1', '2'])
      expect(await opened.source.lag?.()).toEqual({ events: 5 })
    }
    await using opened = await open({ queue })
    await expect.poll(() => opened.texts, WAIT).toEqual(['1', '2', '3', '4', '5'])
    expect(opened.received.map(({ redelivered }) => redelivered)).toEqual([true, true, false, false, false])
  })

  it('ends when its queue is removed', async () => {
    const queue = await makeQueue()
    await using opened = await open({ queue })
    const ended = expect(opened.source.ended).rejects.toThrow(`was the queue "${queue}" removed?`)
    await channel.deleteQueue(queue)
    await ended
  })

  it('says why it cannot connect, without the password', async () => {
    const { host } = new URL(server.url)
    const refused = open({ url: `amqp://guest:secret@${host}`, queue: 'any' })
    await expect(refused).rejects.toThrow(/cannot connect to RabbitMQ at 127.0.0.1:\d+: .*ACCESS.REFUSED/)
    await expect(refused).rejects.not.toThrow('secret')
    const noHost = open({ url: `amqp://guest:guest@${host}/nowhere`, queue: 'any' })
    await expect(noHost).rejects.toThrow('the virtual host "nowhere" is not there, or is not for this user')
    await expect(open({ url: 'amqp://127.0.0.1:1', queue: 'any' })).rejects.toThrow(/127.0.0.1:1: .*ECONNREFUSED/)
  })

  it('connects over TLS with a certificate of its own', async () => {
    const queue = await makeQueue()
    const url = `amqps://guest:guest@127.0.0.1:${tlsPort}`
    await using opened = await open({ url, queue, ...(await certificates.fields(true)) })
    await send(queue, ['1'])
    await expect.poll(() => opened.texts, WAIT).toEqual(['1'])
    await expect(open({ url, queue })).rejects.toThrow(/cannot connect to RabbitMQ .*certificate/i)
  })
})
