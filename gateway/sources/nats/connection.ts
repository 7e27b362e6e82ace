// How a NATS server is reached: address, who we are, TLS.
import type { NatsConnection, NodeConnectionOptions } from '@nats-io/transport-node'

import { connected } from '../connecting.ts'
import type { SourceContext } from '../source.ts'
import { tlsOptions } from '../tls.ts'
import type { NatsOptions } from './options.ts'

const TIMEOUT_MS = 10_000
/** A server that does not answer two of them is gone. */
const PING_MS = 20_000

/** @throws Error for the status of the trigger */
export async function connectTo({
  trigger,
  options,
  signal,
}: Pick<SourceContext<NatsOptions>, 'trigger' | 'options' | 'signal'>): Promise<NatsConnection> {
  const { connect, credsAuthenticator, nkeyAuthenticator } = await import('@nats-io/transport-node')
  const credentials = new TextEncoder().encode(options.credentials.trim())
  const authenticator = options.credentials.startsWith('SU')
    ? nkeyAuthenticator(credentials)
    : credsAuthenticator(credentials)
  const connection = connect({
    ...addressOf(options),
    ...(options.credentials === '' ? {} : { authenticator }),
    name: `hearth ${trigger}`,
    timeout: TIMEOUT_MS,
    pingInterval: PING_MS,
    // Whoever serves the trigger opens it again: one place that tries again, and says so.
    reconnect: false,
  })
  return connected({ broker: 'NATS', url: options.url, connection, close: (late) => late.close(), signal })
}

/** The client takes no credentials in its addresses. */
function addressOf(options: NatsOptions): NodeConnectionOptions {
  const { protocol, host, username, password } = new URL(options.url)
  const user = decodeURIComponent(username)
  const secret = decodeURIComponent(password)
  return {
    servers: host,
    ...(protocol === 'tls:' ? { tls: tlsOptions(options) } : {}),
    ...(secret === '' ? {} : user === '' ? { token: secret } : { user, pass: secret }),
  }
}
