// Handlers of the other style: handler(event, context), with a plain value as its answer. The same as in
// runtimes/node/event.cjs. Takes and gives the classes of the engine, whichever they are.
import type { HostRequest } from 'hearth:js/host@0.1.0'

const TEXT = 'text/plain;charset=UTF-8'
const JSON_TYPE = 'application/json'
const BYTES = 'application/octet-stream'

/** The body as JSON when it is JSON, null when it is empty, else as text. */
export function eventOf(body: Uint8Array): unknown {
  if (body.length === 0) return null
  const text = new TextDecoder().decode(body)
  try {
    return JSON.parse(text)
  } catch {
    return text
  }
}

export function contextOf(
  incoming: HostRequest,
  env: Readonly<Record<string, string>>,
  waitUntil: (promise: unknown) => void,
): Record<string, unknown> {
  return {
    invocationId: incoming.invocation,
    functionName: env.HEARTH_FUNCTION,
    functionVersion: env.HEARTH_VERSION,
    attempt: incoming.attempt,
    deadline: incoming.deadline,
    getRemainingTimeInMillis: () => Math.max(0, incoming.deadline - Date.now()),
    env,
    waitUntil,
  }
}

/** API Gateway's answer. */
interface StatusAnswer {
  readonly statusCode: number
  readonly headers?: Readonly<Record<string, unknown>>
  readonly multiValueHeaders?: Readonly<Record<string, unknown>>
  readonly cookies?: readonly unknown[]
  readonly body?: unknown
  readonly isBase64Encoded?: boolean
}

export function responseOf(value: unknown): Response {
  if (value === undefined) return new Response(null, { status: 204 })
  if (value instanceof Response) return value
  if (typeof (value as StatusAnswer | null)?.statusCode === 'number') return statusResponse(value as StatusAnswer)
  const { type, body } = bodyOf(value)
  return new Response(body, { headers: { 'content-type': type } })
}

function statusResponse(answer: StatusAnswer): Response {
  const headers = new Headers()
  for (const [name, value] of Object.entries({ ...answer.headers, ...answer.multiValueHeaders })) {
    for (const item of Array.isArray(value) ? value : [value]) headers.append(name, String(item))
  }
  for (const cookie of answer.cookies ?? []) headers.append('set-cookie', String(cookie))
  const status = answer.statusCode
  const { body } = answer
  if (body === undefined || body === null || body === '') return new Response(null, { status, headers })
  const content = answer.isBase64Encoded === true ? { type: BYTES, body: fromBase64(String(body)) } : bodyOf(body)
  if (!headers.has('content-type')) headers.set('content-type', content.type)
  return new Response(content.body, { status, headers })
}

function bodyOf(value: unknown): {
  readonly type: string
  readonly body: string | Uint8Array<ArrayBuffer> | ReadableStream
} {
  if (typeof value === 'string') return { type: TEXT, body: value }
  if (value instanceof Uint8Array) return { type: BYTES, body: value as Uint8Array<ArrayBuffer> }
  if (value instanceof ReadableStream) return { type: BYTES, body: value }
  if (typeof (value as AsyncIterable<unknown> | null)?.[Symbol.asyncIterator] === 'function') {
    return { type: BYTES, body: ReadableStream.from(value as AsyncIterable<unknown>) }
  }
  const text = JSON.stringify(value)
  if (text !== undefined) return { type: JSON_TYPE, body: text }
  throw new TypeError(`a handler returns what JSON can say, text, bytes or a Response: received a ${typeof value}`)
}

function fromBase64(text: string): Uint8Array<ArrayBuffer> {
  return Uint8Array.from(atob(text), (character) => character.charCodeAt(0))
}
