// How an error reaches a client: RFC 9457 problem+json, the same from every part of the gateway.
import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Socket } from 'node:net'

import { systemClock } from '#core/clock'
import { PlatformError, problemOf } from '#core/errors'

export const PROBLEM_TYPE = 'application/problem+json'
/** How long, and how much of, a refused body is read, so that the client gets to read the answer. */
const LINGER_MS = 2000
const LINGER_BYTES = 16 * 1024 * 1024

/** The document and its headers, lower case. `id` is what the platform log has the cause under. */
export function problemResponse(error: PlatformError, id: string): { body: string; headers: Record<string, string> } {
  const headers: Record<string, string> = {
    'content-type': PROBLEM_TYPE,
    'cache-control': 'no-store',
    'hearth-error': error.code,
  }
  if (error.retryAfterS !== undefined) headers['retry-after'] = String(Math.ceil(error.retryAfterS))
  if (error.code === 'unauthorized') headers['www-authenticate'] = 'Bearer realm="hearth"'
  return { body: JSON.stringify({ ...problemOf(error), instance: `urn:uuid:${id}` }), headers }
}

/** Answers on the bare response; nothing of it may have been sent. */
export function sendProblem(
  req: IncomingMessage,
  res: ServerResponse,
  error: PlatformError,
  { id, headers }: { readonly id: string; readonly headers: readonly string[] },
): void {
  const problem = problemResponse(error, id)
  const lines = [...Object.entries(problem.headers).flat(), ...headers]
  const unread = !req.complete && error.code === 'payload-too-large'
  if (unread) lines.push('connection', 'close')
  res.writeHead(error.status, [...lines, 'content-length', String(Buffer.byteLength(problem.body))])
  if (unread) endAfterBody(req, res, problem.body)
  else res.end(problem.body)
}

/**
 * Sends the answer but closes only when the client has sent its body: closing at once makes the kernel reset the
 * connection, and many clients then never see the answer.
 */
function endAfterBody(req: IncomingMessage, res: ServerResponse, body: string): void {
  let left = LINGER_BYTES
  const end = (): void => {
    timer[Symbol.dispose]()
    res.end()
  }
  const timer = systemClock.after(LINGER_MS, end)
  res.write(body)
  req.on('data', (chunk: Buffer) => {
    left -= chunk.length
    if (left < 0) end()
  })
  req.once('end', end).once('error', end)
  res.once('close', () => timer[Symbol.dispose]())
  req.resume()
}

/** Answers what is not HTTP, or not in time: there is no request yet, only a socket. */
export function answerClientError(
  error: NodeJS.ErrnoException,
  socket: Socket,
  limits: { maxHeaderBytes: number },
): void {
  // Answered already: what still comes is only read, so that the client gets to read the answer.
  if (socket.writableEnded) return
  if (error.code === 'ECONNRESET' || !socket.writable) {
    socket.destroy()
    return
  }
  const { body, headers } = problemResponse(clientError(error, limits), crypto.randomUUID())
  const status = error.code === 'HPE_HEADER_OVERFLOW' ? '431 Request Header Fields Too Large' : '400 Bad Request'
  const lines = Object.entries({ ...headers, 'content-length': Buffer.byteLength(body), connection: 'close' })
  socket.end(`HTTP/1.1 ${status}\r\n${lines.map(([name, value]) => `${name}: ${value}\r\n`).join('')}\r\n${body}`)
  const timer = systemClock.after(LINGER_MS, () => socket.destroy())
  socket.once('close', () => timer[Symbol.dispose]())
}

function clientError(error: NodeJS.ErrnoException, limits: { maxHeaderBytes: number }): PlatformError {
  if (error.code === 'HPE_HEADER_OVERFLOW') {
    return new PlatformError('too-many-headers', {
      detail: `at most ${limits.maxHeaderBytes} bytes of headers (HEARTH_MAX_HEADER_BYTES): received more`,
      members: { limit: limits.maxHeaderBytes },
    })
  }
  if (error.code === 'ERR_HTTP_REQUEST_TIMEOUT') {
    return new PlatformError('invalid-request', {
      detail: 'expected a complete request in time: received a part of one',
    })
  }
  return new PlatformError('invalid-request', {
    detail: `expected an HTTP/1.1 request: received something else (${error.code})`,
  })
}
