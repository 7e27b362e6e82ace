// Connecting to a broker: what is said when that fails, and what happens when nobody waits for it any more.
import type { StopSignal } from '#core/stop-signal'

export interface Connecting<Connection> {
  /** As users call it: `RabbitMQ`. */
  readonly broker: string
  /** Only its host is shown. */
  readonly url: string
  readonly connection: Promise<Connection>
  readonly close: (connection: Connection) => unknown
  readonly signal: StopSignal
}

/**
 * The connection. One that comes after the signal has aborted is closed.
 * @throws Error whose message says where and why, without secrets; the reason of the signal when it aborts first
 */
export async function connected<Connection>(connecting: Connecting<Connection>): Promise<Connection> {
  const { broker, url, connection, close, signal } = connecting
  const stopped = Promise.withResolvers<never>()
  const onAbort = (): void => stopped.reject(signal.reason)
  if (signal.aborted) onAbort()
  signal.addEventListener('abort', onAbort, { once: true })
  try {
    return await Promise.race([connection, stopped.promise])
  } catch (error) {
    void connection.then(close).catch(() => {})
    if (signal.aborted) throw error
    const { host, pathname } = new URL(url)
    // Of a unix socket there is only the path.
    throw new Error(`cannot connect to ${broker} at ${host || pathname}: ${wordsOf(error)}`, { cause: error })
  } finally {
    signal.removeEventListener('abort', onAbort)
  }
}

/** Of a name with several addresses there is one error each, and no message. */
function wordsOf(error: unknown): string {
  if (error instanceof AggregateError && error.errors.length > 0) return wordsOf(error.errors[0])
  return error instanceof Error && error.message !== '' ? error.message : 'no answer'
}
