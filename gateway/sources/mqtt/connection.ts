// How an MQTT broker is reached: address, session, TLS.
import type { IClientOptions, IPublishPacket, MqttClient } from 'mqtt'

import { connected } from '../connecting.ts'
import { Loss } from '../loss.ts'
import type { SourceContext } from '../source.ts'
import { tlsOptions } from '../tls.ts'
import type { MqttOptions } from './options.ts'

const TIMEOUT_MS = 10_000
/** A broker that does not answer for one and a half of it is gone. */
const KEEP_ALIVE_S = 20
/** What the protocol has room for. */
const MAX_RECEIVE = 65_535

/** Why brokers end connections, by the codes of MQTT 5.0. */
const REASONS: Readonly<Record<number, string>> = {
  135: 'not authorized',
  137: 'server busy',
  139: 'server shutting down',
  141: 'keep alive timeout',
  142: 'session taken over: another client has the same client id',
  147: 'receive maximum exceeded',
  149: 'packet too large',
  151: 'quota exceeded',
  152: 'administrative action',
}

/** Whom the messages go to, once there is a client. */
export type Listen = (client: MqttClient) => (packet: IPublishPacket) => void

export interface Connection {
  readonly client: MqttClient
  readonly loss: Loss
}

/** What the client gets as an error so that it leaves a message unacknowledged. It emits it. */
const LATER = new Error('acknowledged later')

/**
 * With its session, from which messages may come before this resolves.
 * @throws Error for the status of the trigger
 */
export async function connectTo(
  context: Pick<SourceContext<MqttOptions>, 'trigger' | 'options' | 'prefetch' | 'signal'>,
  listen: Listen,
): Promise<Connection> {
  const { connect } = await import('mqtt')
  const { url } = context.options
  const client = connect({
    ...addressOf(context.options),
    ...sessionOf(context),
    connectTimeout: TIMEOUT_MS,
    keepalive: KEEP_ALIVE_S,
    // Whoever serves the trigger opens it again: one place that tries again, and says so.
    reconnectPeriod: 0,
    customHandleAcks(_topic, _payload, packet: IPublishPacket, done) {
      receive(packet)
      done(LATER)
    },
  })
  const receive = listen(client)
  // Of quality of service 0: nobody waits for an acknowledgement.
  client.on('message', (_topic, _payload, packet) => receive(packet))
  const loss = lossOf(client)
  const connection = Promise.race([new Promise((resolve) => client.on('connect', resolve)), loss.ended])
  await connected({ broker: 'MQTT', url, connection, close: () => client.stream.destroy(), signal: context.signal })
  return { client, loss }
}

function lossOf(client: MqttClient): Loss {
  const loss = new Loss()
  client.on('error', (error) => {
    if (error !== LATER) loss.report(error)
  })
  client.on('disconnect', ({ reasonCode, properties }) => {
    const words = properties?.reasonString ?? REASONS[reasonCode ?? 0] ?? `reason code ${reasonCode}`
    loss.report(new Error(`the MQTT broker has ended the connection: ${words}`))
  })
  client.on('close', () => {
    const { clientId } = client.options
    const question = `does another client have the client id "${clientId}"?`
    loss.report(new Error(`the MQTT broker has closed the connection and did not say why: ${question}`))
  })
  return loss
}

function addressOf(options: MqttOptions): IClientOptions {
  const { protocol, hostname, port, username, password } = new URL(options.url)
  return {
    protocol: protocol === 'mqtts:' ? 'mqtts' : 'mqtt',
    hostname: hostname.replaceAll(/[[\]]/g, ''),
    ...(port === '' ? {} : { port: Number(port) }),
    ...(username === '' ? {} : { username: decodeURIComponent(username) }),
    ...(password === '' ? {} : { password: decodeURIComponent(password) }),
    ...tlsOptions(options),
  }
}

function sessionOf({
  trigger,
  options,
  prefetch,
}: Pick<SourceContext<MqttOptions>, 'trigger' | 'options' | 'prefetch'>): IClientOptions {
  return {
    protocolVersion: 5,
    clientId: options.clientId === '' ? `hearth-${trigger}` : options.clientId,
    clean: false,
    properties: {
      sessionExpiryInterval: options.sessionExpiryS,
      receiveMaximum: Math.min(MAX_RECEIVE, prefetch),
    },
  }
}
