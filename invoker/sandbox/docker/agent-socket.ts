// The socket file on which one sandbox's agent dials in, once.
import { chmod, rm } from 'node:fs/promises'
import { createServer, type Server, type Socket } from 'node:net'

/** sun_path of Linux, its final zero excluded. */
const MAX_PATH_BYTES = 107

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

  /** @throws Error when the path is too long or cannot be used */
  static async listen(path: string): Promise<AgentSocket> {
    if (Buffer.byteLength(path) > MAX_PATH_BYTES) {
      throw new Error(
        `the path of a socket has at most ${MAX_PATH_BYTES} bytes: received ${Buffer.byteLength(path)}, ${path}`,
      )
    }
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
