// HTTP as bytes, for what clients do not let one send or see.
import { once } from 'node:events'
import { connect } from 'node:net'
import type { Socket } from 'node:net'

export async function open(port: number): Promise<Socket> {
  const socket = connect(port, '127.0.0.1')
  await once(socket, 'connect')
  return socket
}

/** Sends it, and resolves with all that comes until the other side closes. */
export async function exchange(port: number, request: string): Promise<string> {
  const socket = await open(port)
  socket.write(request)
  const answer = await readAll(socket)
  socket.destroy()
  return answer
}

/** Until the connection ends, however it ends. */
export async function readAll(socket: Socket): Promise<string> {
  let text = ''
  socket.on('data', (chunk: Buffer) => (text += chunk.toString('latin1')))
  socket.on('error', () => {})
  if (!socket.closed) await new Promise((resolve) => socket.once('close', resolve))
  return text
}

/** Resolves once `condition` holds. */
export async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await new Promise((resolve) => setImmediate(resolve))
}
