// Ctrl-C, SIGTERM and faults: how `hearth serve` is told to end.
import type { Clock } from '#core/clock'

import { EXIT, type ExitCode } from '../exit.ts'
import type { Logger } from './log.ts'

/** npm passes a Ctrl-C on that the terminal has sent already: what comes this soon is not a second wish. */
const SAME_SIGNAL_MS = 1000

export interface Shutdown {
  /** Aborts when the process should drain and end. */
  readonly requested: AbortSignal
  /** Aborts when it should not wait for running invocations any longer. */
  readonly forced: AbortSignal
  /** After a signal 0; after an error that nobody caught 1. */
  exitCode(): ExitCode
}

/** Listens until the process ends: a signal must not kill it while it cleans up. */
export function listenForShutdown(log: Logger, clock: Clock): Shutdown {
  const requested = new AbortController()
  const forced = new AbortController()
  let exit: ExitCode = EXIT.ok
  let first = Number.NaN
  const onSignal = (signal: NodeJS.Signals): void => {
    if (!requested.signal.aborted) {
      first = clock.monotonic()
      log.info(`${signal}: draining; Ctrl-C once more ends running invocations`)
      requested.abort()
    } else if (clock.monotonic() - first > SAME_SIGNAL_MS && !forced.signal.aborted) {
      log.warn(`${signal} again: ending running invocations`)
      forced.abort()
    }
  }
  const onFault = (error: unknown): void => {
    log.error({ err: error }, 'an error that nobody caught: shutting down')
    exit = EXIT.failed
    requested.abort()
  }
  process.on('SIGINT', onSignal).on('SIGTERM', onSignal).on('SIGHUP', onSignal)
  process.on('uncaughtException', onFault).on('unhandledRejection', onFault)
  return {
    requested: requested.signal,
    forced: forced.signal,
    exitCode: () => exit,
  }
}
