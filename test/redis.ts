// A private, disposable Redis for tests: real, on a unix socket, append-only. Never the Redis of the machine.
import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { createConnection } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

import { sleep } from '#core/clock'

export interface TestRedis extends AsyncDisposable {
  /** `unix:///…/redis.sock`, as `openStore` takes it. */
  readonly url: string
  /** As `kill -9`: what was not yet in the append-only file is lost. */
  kill(): Promise<void>
  /** Starts it again after `kill()`, on the same socket and files. */
  restart(): Promise<void>
}

/**
 * Starts `HEARTH_TEST_REDIS_SERVER`, or the redis-server of the PATH. Disposing stops it and removes its files.
 * @param settings of the server, over those of a test
 */
export async function startTestRedis(settings: Readonly<Record<string, string>> = {}): Promise<TestRedis> {
  const dir = await mkdtemp(join(tmpdir(), 'hearth-redis-'))
  const socketPath = join(dir, 'redis.sock')
  let server = await launch(dir, socketPath, settings)
  const kill = async (): Promise<void> => {
    if (server.exitCode !== null || server.signalCode !== null) return
    const exited = once(server, 'exit')
    server.kill('SIGKILL')
    await exited
  }
  return {
    url: `unix://${socketPath}`,
    kill,
    async restart() {
      await rm(socketPath, { force: true })
      server = await launch(dir, socketPath, settings)
    },
    async [Symbol.asyncDispose]() {
      await kill()
      await rm(dir, { recursive: true, force: true })
    },
  }
}

async function launch(
  dir: string,
  socketPath: string,
  settings: Readonly<Record<string, string>>,
): Promise<ChildProcess> {
  const binary = process.env.HEARTH_TEST_REDIS_SERVER ?? 'redis-server'
  const all = { port: '0', unixsocket: socketPath, dir, save: '', appendonly: 'yes', ...settings }
  const args = Object.entries(all).flatMap(([name, value]) => [`--${name}`, value])
  const server = spawn(binary, args, { stdio: ['ignore', 'pipe', 'inherit'], detached: true })
  let output = ''
  server.stdout.setEncoding('utf8').on('data', (text: string) => (output = (output + text).slice(-2_000)))
  const failed = new Promise<never>((_, reject) => {
    server.once('error', (cause) => reject(new Error(`${binary} does not start`, { cause })))
    server.once('exit', (code) => reject(new Error(`${binary} ended with code ${code}: ${output}`)))
  })
  // After the start nobody waits for this promise any more: the exit is then wanted.
  failed.catch(() => {})
  await Promise.race([failed, answers(socketPath)])
  return server
}

async function answers(socketPath: string): Promise<void> {
  for (let attempt = 0; attempt < 500; attempt++) {
    if (await ping(socketPath)) return
    await sleep(20, AbortSignal.timeout(60_000))
  }
  throw new Error(`no answer from Redis at ${socketPath} within 10 s`)
}

/** False while it is not there yet, or still loading its append-only file. */
function ping(socketPath: string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = createConnection(socketPath)
    socket.once('error', () => resolve(false))
    socket.once('connect', () => socket.write('PING\r\n'))
    socket.once('data', (bytes) => {
      socket.destroy()
      resolve(bytes.toString().startsWith('+PONG'))
    })
  })
}
