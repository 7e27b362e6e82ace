// How a PostgreSQL is reached: address, who we are, TLS, and what a session of ours is like.
import type { Client, ClientConfig } from 'pg'

import { connected } from '../connecting.ts'
import type { SourceContext } from '../source.ts'
import { tlsOptions } from '../tls.ts'
import { isTls, type PostgresOptions } from './options.ts'

const TIMEOUT_MS = 10_000
const KEEP_ALIVE_MS = 15_000
const STATEMENT_MS = 20_000
/** A server that does not end a statement in its time is gone. */
const ANSWER_MS = 30_000
/** By SET and not when connecting, which poolers refuse. A session that hangs must not keep rows locked. */
const SESSION = `
  SET statement_timeout = ${STATEMENT_MS}; SET lock_timeout = ${TIMEOUT_MS};
  SET idle_in_transaction_session_timeout = ${2 * ANSWER_MS};
  SET TimeZone = 'UTC'`

/** @throws Error for the status of the trigger */
export async function connectTo({
  trigger,
  options,
  signal,
}: Pick<SourceContext<PostgresOptions>, 'trigger' | 'options' | 'signal'>): Promise<Client> {
  const { Client: PostgresClient } = await import('pg')
  const client = new PostgresClient({
    ...addressOf(options),
    application_name: `hearth ${trigger}`,
    connectionTimeoutMillis: TIMEOUT_MS,
    query_timeout: ANSWER_MS,
    keepAlive: true,
    keepAliveInitialDelayMillis: KEEP_ALIVE_MS,
  })
  // Without a listener it would end the process; who uses the connection has one of its own.
  client.on('error', () => {})
  const connection = open(client)
  return connected({ broker: 'PostgreSQL', url: options.url, connection, close: (late) => late.end(), signal })
}

async function open(client: Client): Promise<Client> {
  try {
    await client.connect()
    await client.query(SESSION)
    return client
  } catch (error) {
    client.end().catch(() => {})
    throw error
  }
}

/** Complete, for what is left out the client takes from the environment of this process, passwords included. */
function addressOf(options: PostgresOptions): ClientConfig {
  const { hostname, port, username, password, pathname, searchParams } = new URL(options.url)
  const mode = searchParams.get('sslmode')
  const user = decodeURIComponent(username) || 'postgres'
  const secret = decodeURIComponent(password)
  return {
    host: searchParams.get('host') ?? (hostname.replaceAll(/[[\]]/g, '') || '127.0.0.1'),
    port: Number(port || 5432),
    user,
    password: () => secret,
    database: decodeURIComponent(pathname.slice(1)) || user,
    ssl: isTls(mode) && { ...tlsOptions(options), rejectUnauthorized: mode !== 'no-verify' },
  }
}
