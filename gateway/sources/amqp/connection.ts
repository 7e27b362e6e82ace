// How a RabbitMQ is reached: address, who we are, TLS.
import type { ChannelModel, Options, SocketOptions } from 'amqplib'

import { connected } from '../connecting.ts'
import type { SourceContext } from '../source.ts'
import { tlsOptions } from '../tls.ts'
import type { AmqpOptions } from './options.ts'

const TIMEOUT_MS = 10_000
/** A server of which nothing was heard for two of them is gone. */
const HEARTBEAT_S = 15

/** @throws Error for the status of the trigger */
export async function connectTo({
  trigger,
  options,
  signal,
}: Pick<SourceContext<AmqpOptions>, 'trigger' | 'options' | 'signal'>): Promise<ChannelModel> {
  const { connect } = await import('amqplib')
  const socket: SocketOptions = {
    ...tlsOptions(options),
    timeout: TIMEOUT_MS,
    noDelay: true,
    clientProperties: { connection_name: `hearth ${trigger}` },
  }
  const address = addressOf(options.url)
  const connection = connect(address, socket).catch((error: Error) => Promise.reject(clearer(error, address.vhost)))
  return connected({ broker: 'RabbitMQ', url: options.url, connection, close: (late) => late.close(), signal })
}

/** The client does not tell why the last step of the handshake was refused. */
function clearer(error: Error, vhost = '/'): Error {
  if (!error.message.startsWith('Expected ConnectionOpenOk')) return error
  return new Error(`the virtual host "${vhost}" is not there, or is not for this user`, { cause: error })
}

function addressOf(text: string): Options.Connect {
  const { protocol, hostname, port, username, password, pathname } = new URL(text)
  const account =
    username === '' && password === ''
      ? {}
      : { username: decodeURIComponent(username), password: decodeURIComponent(password) }
  return {
    protocol: protocol.slice(0, -1),
    hostname: hostname.replaceAll(/[[\]]/g, ''),
    ...(port === '' ? {} : { port: Number(port) }),
    ...account,
    vhost: pathname === '' || pathname === '/' ? '/' : pathname.slice(1),
    heartbeat: HEARTBEAT_S,
  }
}
