// Ports for brokers of tests, and waiting for them.
import type { ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { connect, createServer, type AddressInfo } from 'node:net'

/** One that is free now. */
export async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  server.close()
  await once(server, 'close')
  return port
}

/** Resolves when something takes connections. Rejects when the process ends before, or after a minute. */
export async function listening(port: number, owner: ChildProcess): Promise<void> {
  const deadline = Date.now() + 60_000
  while (!(await takes(port))) {
    if (owner.exitCode !== null || owner.signalCode !== null) {
      throw new Error(`${owner.spawnfile} ended with ${owner.exitCode ?? owner.signalCode} before it listened`)
    }
    if (Date.now() > deadline) throw new Error(`${owner.spawnfile} does not listen on ${port}`)
    await new Promise((resolve) => setTimeout(resolve, 50))
  }
}

async function takes(port: number): Promise<boolean> {
  const socket = connect(port, '127.0.0.1')
  try {
    await once(socket, 'connect')
    return true
  } catch {
    return false
  } finally {
    socket.destroy()
  }
}
