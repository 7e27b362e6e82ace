// Whether the address can be listened on, asked before anything slow is started.
import { once } from 'node:events'
import { createServer } from 'node:net'

import { CliError, EXIT } from '../exit.ts'

/** @throws CliError naming the setting to change */
export async function checkAddress(host: string, port: number): Promise<void> {
  const probe = createServer()
  try {
    probe.listen({ host, port, exclusive: true })
    await once(probe, 'listening')
  } catch (error) {
    throw addressError(error, host, port)
  } finally {
    probe.close()
  }
}

function addressError(error: unknown, host: string, port: number): CliError {
  const { code, message } = error as NodeJS.ErrnoException
  if (code === 'EADDRINUSE') {
    return new CliError(`port ${port} of ${host} is in use by another program`, {
      exit: EXIT.usage,
      hint: 'stop that one, or set HEARTH_PORT to another port (0 takes a free one)',
    })
  }
  if (code === 'EACCES') {
    return new CliError(`port ${port} may not be used by this user`, {
      exit: EXIT.usage,
      hint: 'set HEARTH_PORT to 1024 or higher',
    })
  }
  return new CliError(`cannot listen on ${host}: ${message}`, {
    exit: EXIT.usage,
    hint: 'set HEARTH_HOST to an address of this machine',
  })
}
