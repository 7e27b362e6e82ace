// Sends the same POST many times over a few connections. Speaks just enough HTTP/1.1 for this: on a machine with two
// cores the cost of node:http's client would be a large part of what is measured.
import { once } from 'node:events'
import { connect, type Socket } from 'node:net'

export interface Posts {
  readonly url: string
  readonly headers: Readonly<Record<string, string>>
  readonly body: string
  /** In all. */
  readonly count: number
  /** Each has one request under way. */
  readonly connections: number
  readonly status: number
}

/** Resolves when all are answered. @throws when one has another status than asked for */
export async function postAll(posts: Posts): Promise<void> {
  const { hostname, port } = new URL(posts.url)
  const request = Buffer.from(requestText(posts))
  let left = posts.count
  const next = (): Buffer | undefined => (left-- > 0 ? request : undefined)
  const clients = Array.from({ length: posts.connections }, async () => {
    const socket = connect(Number(port), hostname).setNoDelay(true)
    await once(socket, 'connect')
    return exchange(socket, next, `HTTP/1.1 ${posts.status} `)
  })
  await Promise.all(clients)
}

function exchange(socket: Socket, next: () => Buffer | undefined, expected: string): Promise<void> {
  return new Promise((resolve, reject) => {
    let received = ''
    const send = (): void => {
      const request = next()
      if (request !== undefined) return void socket.write(request)
      socket.destroy()
      resolve()
    }
    socket.setEncoding('latin1')
    socket.once('error', reject)
    socket.once('end', () => reject(new Error('the server closed the connection')))
    socket.on('data', (text: string) => {
      received += text
      if (!isWhole(received)) return
      if (!received.startsWith(expected)) return reject(new Error(`expected ${expected}: received ${received}`))
      received = ''
      send()
    })
    send()
  })
}

/** One request is under way at a time, so what comes is one answer. */
function isWhole(text: string): boolean {
  const headEnd = text.indexOf('\r\n\r\n')
  if (headEnd < 0) return false
  const length = /\r\ncontent-length: (\d+)/i.exec(text)?.[1]
  if (length === undefined) throw new Error(`an answer without content-length: ${text}`)
  return text.length >= headEnd + 4 + Number(length)
}

function requestText({ url, headers, body }: Posts): string {
  const { host, pathname, search } = new URL(url)
  const all = { host, ...headers, 'content-length': String(Buffer.byteLength(body)) }
  const lines = Object.entries(all).map(([name, value]) => `${name}: ${value}`)
  return [`POST ${pathname}${search} HTTP/1.1`, ...lines, '', body].join('\r\n')
}
