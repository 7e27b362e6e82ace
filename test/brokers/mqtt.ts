// A real mosquitto on a free port, with files of its own.
import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

import { freePort, listening } from './port.ts'

export interface Mosquitto extends AsyncDisposable {
  readonly url: string
  /** As kill -9 once it has saved its sessions, which it does from time to time; started again on the same port and files. */
  restart(): Promise<void>
}

/** @param settings lines of its configuration: of its listener, and who may use it */
export async function startMosquitto(settings: readonly string[] = ['allow_anonymous true']): Promise<Mosquitto> {
  await using starting = new AsyncDisposableStack()
  const dir = await mkdtemp(join(tmpdir(), 'hearth-mqtt-'))
  starting.defer(() => rm(dir, { recursive: true, force: true }))
  const port = await freePort()
  await writeFile(join(dir, 'mosquitto.conf'), [...configuration(dir, port), ...settings, ''].join('\n'))
  let server = await launch(dir, port)
  starting.defer(() => kill(server))
  const started = starting.move()
  return {
    url: `mqtt://127.0.0.1:${port}`,
    async restart() {
      await saved(dir, server)
      await kill(server)
      server = await launch(dir, port)
    },
    [Symbol.asyncDispose]: () => started.disposeAsync(),
  }
}

function configuration(dir: string, port: number): readonly string[] {
  return [
    `listener ${port} 127.0.0.1`,
    'persistence true',
    `persistence_location ${dir}/`,
    // It gives up root, and could then not write here.
    'user root',
  ]
}

async function launch(dir: string, port: number): Promise<ChildProcess> {
  const program = process.env.HEARTH_TEST_MQTT ?? 'mosquitto'
  const server = spawn(program, ['-c', join(dir, 'mosquitto.conf')], { stdio: 'ignore' })
  await listening(port, server)
  return server
}

async function saved(dir: string, server: ChildProcess): Promise<void> {
  const file = join(dir, 'mosquitto.db')
  const savedAt = async (): Promise<number> => (await stat(file).catch(() => undefined))?.mtimeMs ?? 0
  const before = await savedAt()
  server.kill('SIGUSR1')
  const deadline = Date.now() + 30_000
  while ((await savedAt()) === before) {
    if (Date.now() > deadline) throw new Error('mosquitto does not save its sessions')
    await new Promise((resolve) => setTimeout(resolve, 50))
  }
}

async function kill(server: ChildProcess): Promise<void> {
  if (server.exitCode !== null || server.signalCode !== null) return
  const exited = once(server, 'exit')
  server.kill('SIGKILL')
  await exited
}
