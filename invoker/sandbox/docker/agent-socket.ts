// The socket file on which one sandbox's agent dials in, once.
import { chmod, rm } from 'node:fs/promises'
import { createServer, type Server, type Socket } from 'node:net'
import { join } from 'node:path'

import type { SandboxId } from '#core/ids'

/** sun_path of Linux, its final zero excluded. */
const MAX_PATH_BYTES = 107
const LONGEST_NAME = 'xxxxxxxx-xxxx.sock'

export function socketPath(runtimeDir: string, sandbox: SandboxId): string {
  return join(runtimeDir, `${sandbox.slice(sandbox.indexOf('-') + 1)}.sock`)
}

/** Why sockets cannot be in a folder, or undefined when they can. */
export function unfitForSockets(runtimeDir: string): string | undefined {
  const bytes = Buffer.byteLength(join(runtimeDir, LONGEST_NAME))
  if (bytes <= MAX_PATH_BYTES) return undefined
  return `the paths of its sockets must have at most ${MAX_PATH_BYTES} bytes: those in ${runtimeDir} have ${bytes}`
}

export class AgentSocket implements AsyncDisposable {
  /** The agent's connection. Never resolves when it does not come. */
  readonly connected: Promise<Socket>
  readonly path: string
  readonly #server: Server

  private constructor(path: string, server: Server) {
    this.path = path
    this.#server = server
    this.connected = new Promise((resolve) => {
      server.on('connection', (socket) => {
        // Whoever comes next is not the agent: code in the sandbox can reach the socket as well.
        server.close()
        resolve(socket)
      })
    })
  }

  /** @throws Error when the path cannot be used */
  static async listen(path: string): Promise<AgentSocket> {
    const server = createServer()
    const agentSocket = new AgentSocket(path, server)
    await new Promise<void>((resolve, reject) => {
      server.once('error', reject)
      server.listen(path, resolve)
    })
    // The agent's user is nobody on this machine. Its folder keeps all others out.
    await chmod(path, 0o666)
    return agentSocket
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#server.close()
    await rm(this.path, { force: true })
  }
}
