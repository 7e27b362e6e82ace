// The platform log: what Hearth itself has to say, on standard error. What functions write is kept in the store.
import { pino, type DestinationStream, type Logger } from 'pino'
import pretty from 'pino-pretty'

import type { Config } from '#core/config'

export type { Logger }

/** Lines for people on a terminal, one JSON object per line elsewhere; HEARTH_LOG_FORMAT overrides. */
export function createLog(config: Pick<Config, 'logLevel' | 'logFormat'>): Logger {
  const forPeople = config.logFormat === 'auto' ? process.stderr.isTTY : config.logFormat === 'pretty'
  // Synchronous: the last lines before the process ends are those that matter most.
  const json = pino.destination({ dest: process.stderr.fd, sync: true })
  return pino(
    { level: config.logLevel, base: null, timestamp: pino.stdTimeFunctions.isoTime },
    forPeople ? prettyStream() : json,
  )
}

function prettyStream(): DestinationStream {
  return pretty({
    destination: process.stderr.fd,
    sync: true,
    colorize: process.stderr.isTTY && !process.env.NO_COLOR,
    translateTime: 'SYS:HH:MM:ss.l',
    singleLine: true,
  })
}
