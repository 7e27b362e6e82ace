import { jetstream, jetstreamManager } from '@nats-io/jetstream'
import { connect, type NatsConnection } from '@nats-io/transport-node'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'

import { natsSource } from '#gateway/sources/nats/source'
import { makeCertificates } from '#test/brokers/certificates'
import { startNats, type NatsServer } from '#test/brokers/nats'

import { noRoom, openSource, type TestContext } from '../open-source.ts'

const WAIT = { timeout: 20_000, interval: 20 }

describe('a nats source', () => {
  let server: NatsServer
  let connection: NatsConnection
  let count = 0

  beforeAll(async () => {
    server = await startNats()
    connection = await connect({ servers: server.url })
  })
  afterAll(async () => {
    await connection.close()
    await server[Symbol.asyncDispose]()
  })

  async function makeStream(name = `stream-${count++}`): Promise<string> {
    await (await jetstreamManager(connection)).streams.add({ name, subjects: [`${name}.>`] })
    return name
  }

  async function publish(subjects: readonly string[]): Promise<void> {
    for (const subject of subjects) await jetstream(connection).publish(subject, subject)
  }

  const open = (stream: string, options: Readonly<Record<string, unknown>> = {}, given: Partial<TestContext> = {}) =>
    openSource(natsSource, { url: server.url, stream, ...options }, given)

  it('makes a durable consumer that holds the server back', async () => {
    const stream = await makeStream()
    await using _opened = await open(stream, {}, { trigger: 'orders', prefetch: 3 })
    const info = await (await jetstreamManager(connection)).consumers.info(stream, 'hearth-orders')
    expect(info.config).toMatchObject({ durable_name: 'hearth-orders', ack_policy: 'explicit', max_ack_pending: 3 })
  })

  it('receives the messages of its subject only, and those of another one once that is changed', async () => {
    const stream = await makeStream()
    const kept = {}
    {
      await using opened = await open(stream, { subject: `${stream}.a.*` }, { kept })
      await publish([`${stream}.a.1`, `${stream}.b.1`, `${stream}.a.2`])
      await expect.poll(() => opened.texts, WAIT).toEqual([`${stream}.a.1`, `${stream}.a.2`])
    }
    await using opened = await open(stream, {}, { kept })
    await publish([`${stream}.b.2`])
    await expect.poll(() => opened.texts, WAIT).toContain(`${stream}.b.2`)
    expect(opened.texts).not.toContain(`${stream}.a.1`)
  })

  it.each([
    ['all', ['1', '2', '3']],
    ['last', ['2', '3']],
    ['new', ['3']],
  ])('begins with %s', async (start, expected) => {
    const stream = await makeStream()
    await publish([`${stream}.1`, `${stream}.2`])
    await using opened = await open(stream, { start })
    await publish([`${stream}.3`])
    await expect.poll(() => opened.texts, WAIT).toEqual(expected.map((name) => `${stream}.${name}`))
  })

  it('gives events a key that tells streams of the same name apart', async () => {
    const stream = await makeStream()
    const keys: unknown[] = []
    for (let round = 0; round < 2; round++) {
      await using opened = await open(stream)
      await publish([`${stream}.x`])
      await expect.poll(() => opened.received.length, WAIT).toBe(1)
      keys.push(opened.received[0]?.key)
      await (await jetstreamManager(connection)).streams.delete(stream)
      await makeStream(stream)
    }
    expect(keys).toEqual([expect.stringMatching(/\/1$/), expect.stringMatching(/\/1$/)])
    expect(keys[0]).not.toBe(keys[1])
  })

  it('gives back what was not taken when it stops', async () => {
    const stream = await makeStream()
    await publish([`${stream}.1`, `${stream}.2`])
    const kept = {}
    {
      await using opened = await open(stream, {}, { kept, accept: noRoom })
      await expect.poll(() => opened.received.length, WAIT).toBe(2)
      expect(await opened.source.lag?.()).toEqual({ events: 2 })
    }
    await using opened = await open(stream, {}, { kept })
    // Well before the server would hand them out again by itself.
    await expect.poll(() => opened.received.length, { timeout: 10_000, interval: 20 }).toBe(2)
    expect(opened.received.every(({ redelivered }) => redelivered)).toBe(true)
  })

  it('ends when its consumer is removed, and does not begin again as if nothing had been received', async () => {
    const stream = await makeStream()
    const kept = {}
    await using opened = await open(stream, {}, { kept })
    const ended = expect(opened.source.ended).rejects.toThrow(/consumer/)
    await (await jetstreamManager(connection)).consumers.delete(stream, 'hearth-under-test')
    await ended
    await expect(open(stream, {}, { kept })).rejects.toThrow(/"hearth-under-test" of the stream .* was removed/)
  })

  it('ends when its stream is removed, says so, and takes all of a new one', async () => {
    const stream = await makeStream()
    const kept = {}
    await using opened = await open(stream, { start: 'new' }, { kept })
    const ended = expect(opened.source.ended).rejects.toThrow(/consumer|stream/)
    await (await jetstreamManager(connection)).streams.delete(stream)
    await ended
    await expect(open(stream, { start: 'new' }, { kept })).rejects.toThrow(`there is no JetStream stream "${stream}"`)
    await makeStream(stream)
    await publish([`${stream}.1`])
    await using again = await open(stream, { start: 'new' }, { kept })
    await expect.poll(() => again.texts, WAIT).toEqual([`${stream}.1`])
  })

  it.each([
    [{ ack_policy: 'none' as const }, /must have the ack policy explicit: it has none/],
    [{ ack_policy: 'explicit' as const, deliver_subject: 'somewhere' }, /must be a pull consumer/],
  ])('refuses a consumer of somebody else with %j', async (config, reason) => {
    const stream = await makeStream()
    await (await jetstreamManager(connection)).consumers.add(stream, { durable_name: 'theirs', ...config })
    await expect(open(stream, { durable: 'theirs' })).rejects.toThrow(reason)
  })

  it('says where nobody answers, without the password', async () => {
    const failed = open('any', { url: 'nats://ada:secret@127.0.0.1:1' })
    await expect(failed).rejects.toThrow('cannot connect to NATS at 127.0.0.1:1: connection refused')
  })
})

describe('a nats source of a server with users and TLS', () => {
  it('connects with what it is given, and says why not without it', async () => {
    await using certificates = await makeCertificates()
    const { ca, server: own } = certificates
    const tls = ['--tlsverify', '--tlscacert', ca, '--tlscert', own.certificate, '--tlskey', own.key]
    await using server = await startNats([...tls, '--user', 'ada', '--pass', 'p@ss/word'])
    const { host } = new URL(server.url)
    const url = `tls://ada:${encodeURIComponent('p@ss/word')}@${host}`
    const fields = await certificates.fields(true)
    const open = (options: Readonly<Record<string, unknown>>) => openSource(natsSource, { ...options, ...fields })
    await expect(open({ url, stream: 'none' })).rejects.toThrow('there is no JetStream stream "none"')
    await expect(openSource(natsSource, { url, stream: 'none' })).rejects.toThrow(
      /cannot connect to NATS at 127.0.0.1:\d+: .*certificate/i,
    )
    const wrong = open({ url: `tls://ada:wrong@${host}`, stream: 'none' })
    await expect(wrong).rejects.toThrow(/Authorization Violation/i)
    await expect(wrong).rejects.not.toThrow('wrong')
  })
})
