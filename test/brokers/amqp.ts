// A real rabbitmq-server on free ports, with files and an Erlang port mapper of its own.
import { execFile, spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { basename, dirname, join } from 'node:path'
import { promisify } from 'node:util'

import { connect } from 'amqplib'

import { freePort, listening } from './port.ts'

const PROGRAM = process.env.HEARTH_TEST_AMQP ?? '/usr/lib/rabbitmq/bin/rabbitmq-server'

export interface RabbitServer extends AsyncDisposable {
  readonly url: string
  /** How many messages a queue has, those that are handed out included; undefined: there is no such queue. */
  messages(queue: string): Promise<number | undefined>
  /** As kill -9, and started again on the same port and files. */
  restart(): Promise<void>
}

/** @param settings more lines of its configuration */
export async function startRabbit(settings: readonly string[] = []): Promise<RabbitServer> {
  await using starting = new AsyncDisposableStack()
  const dir = await mkdtemp(join(tmpdir(), 'hearth-amqp-'))
  starting.defer(() => rm(dir, { recursive: true, force: true }))
  const ports = { port: await freePort(), distributionPort: await freePort(), mapperPort: await freePort() }
  const env = await environment(dir, ports, settings)
  // Else the server starts one that nobody ends.
  const mapper = spawn('epmd', ['-port', String(ports.mapperPort), '-address', '127.0.0.1'], { stdio: 'ignore' })
  starting.defer(() => kill(mapper))
  await listening(ports.mapperPort, mapper)
  let server = launch(env)
  starting.defer(() => kill(server))
  const url = `amqp://guest:guest@127.0.0.1:${ports.port}`
  await ready(server, url)
  const started = starting.move()
  return {
    url,
    messages: (queue) => messagesOf(env, queue),
    async restart() {
      await kill(server)
      server = launch(env)
      await ready(server, url)
    },
    [Symbol.asyncDispose]: () => started.disposeAsync(),
  }
}

interface Ports {
  readonly port: number
  readonly distributionPort: number
  readonly mapperPort: number
}

async function environment(dir: string, ports: Ports, settings: readonly string[]): Promise<NodeJS.ProcessEnv> {
  const config = join(dir, 'rabbitmq.conf')
  await writeFile(config, [`listeners.tcp.1 = 127.0.0.1:${ports.port}`, ...settings, ''].join('\n'))
  return {
    ...process.env,
    HOME: dir,
    // The program is a script: it then becomes the server instead of starting it.
    RUNNING_UNDER_SYSTEMD: 'true',
    ERL_EPMD_PORT: String(ports.mapperPort),
    ERL_EPMD_ADDRESS: '127.0.0.1',
    RABBITMQ_NODENAME: `${basename(dir)}@localhost`,
    RABBITMQ_NODE_PORT: String(ports.port),
    RABBITMQ_DIST_PORT: String(ports.distributionPort),
    RABBITMQ_CONFIG_FILE: config,
    RABBITMQ_MNESIA_BASE: join(dir, 'data'),
    RABBITMQ_LOG_BASE: join(dir, 'log'),
    RABBITMQ_PID_FILE: join(dir, 'pid'),
    RABBITMQ_ENABLED_PLUGINS_FILE: join(dir, 'plugins'),
  }
}

function launch(env: NodeJS.ProcessEnv): ChildProcess {
  return spawn(PROGRAM, { stdio: 'ignore', env })
}

/** It takes connections before it takes clients. */
async function ready(server: ChildProcess, url: string): Promise<void> {
  const deadline = Date.now() + 60_000
  for (;;) {
    await listening(Number(new URL(url).port), server)
    try {
      return await (await connect(url)).close()
    } catch (error) {
      if (Date.now() > deadline) throw error
      await new Promise((resolve) => setTimeout(resolve, 100))
    }
  }
}

/** The protocol itself tells only of those that are not handed out. */
async function messagesOf(env: NodeJS.ProcessEnv, queue: string): Promise<number | undefined> {
  const args = ['--quiet', '--no-table-headers', 'list_queues', 'name', 'messages']
  const { stdout } = await promisify(execFile)(join(dirname(PROGRAM), 'rabbitmqctl'), args, { env })
  const lines = stdout.split('\n').map((line) => line.split('\t'))
  const count = lines.find(([name]) => name === queue)?.[1]
  return count === undefined ? undefined : Number(count)
}

async function kill(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return
  const exited = once(child, 'exit')
  child.kill('SIGKILL')
  await exited
}
