// A real redis-server on a free port of 127.0.0.1, without files. The Redis of stores in tests is that of test/redis.ts.
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { tmpdir } from 'node:os'

import { freePort, listening } from './port.ts'

export interface RedisServer extends AsyncDisposable {
  readonly port: number
}

/** @param settings more arguments of redis-server; with `--tls-cert-file` the port is one of TLS */
export async function startRedisServer(...settings: readonly string[]): Promise<RedisServer> {
  const port = await freePort()
  const ports = settings.includes('--tls-cert-file')
    ? ['--port', '0', '--tls-port', String(port)]
    : ['--port', String(port)]
  const program = process.env.HEARTH_TEST_REDIS_SERVER ?? 'redis-server'
  const args = ['--bind', '127.0.0.1', ...ports, '--save', '', '--dir', tmpdir(), ...settings]
  const server = spawn(program, args, { stdio: 'ignore' })
  await listening(port, server)
  return {
    port,
    async [Symbol.asyncDispose]() {
      const exited = once(server, 'exit')
      server.kill('SIGKILL')
      await exited
    },
  }
}
