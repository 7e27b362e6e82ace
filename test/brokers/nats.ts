// A real nats-server with JetStream, on a free port, with files of its own.
import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

import { freePort, listening } from './port.ts'

export interface NatsServer extends AsyncDisposable {
  readonly url: string
  /** As kill -9, and started again on the same port and files. */
  restart(): Promise<void>
}

/** @param args more of the command line */
export async function startNats(args: readonly string[] = []): Promise<NatsServer> {
  const dir = await mkdtemp(join(tmpdir(), 'hearth-nats-'))
  const port = await freePort()
  const launch = (): Promise<ChildProcess> => launchAt(port, ['--jetstream', '--store_dir', dir, ...args])
  let server = await launch()
  const kill = async (): Promise<void> => {
    if (server.exitCode !== null || server.signalCode !== null) return
    const exited = once(server, 'exit')
    server.kill('SIGKILL')
    await exited
  }
  return {
    url: `nats://127.0.0.1:${port}`,
    async restart() {
      await kill()
      server = await launch()
    },
    async [Symbol.asyncDispose]() {
      await kill()
      await rm(dir, { recursive: true, force: true })
    },
  }
}

async function launchAt(port: number, args: readonly string[]): Promise<ChildProcess> {
  const program = process.env.HEARTH_TEST_NATS ?? 'nats-server'
  const server = spawn(program, ['--addr', '127.0.0.1', '--port', String(port), ...args], { stdio: 'ignore' })
  await listening(port, server)
  return server
}
