'use strict'
// The other style of handler: handler(event, context), with a plain value as its answer.
const { readResponse, requestOf, Response } = require('./web.cjs')
const { NOTHING } = require('./wire.cjs')

const TEXT = 'text/plain;charset=UTF-8'
const JSON_TYPE = 'application/json'
const BYTES = 'application/octet-stream'

/** The body as JSON when it is JSON, null when it is empty, else as text. */
async function eventOf(call) {
  if (call.body === null) return null
  const text = await requestOf(call).text()
  if (text === '') return null
  try {
    return JSON.parse(text)
  } catch {
    return text
  }
}

function contextOf(call, { function: functionName, version }) {
  return {
    invocationId: call.id,
    functionName,
    functionVersion: String(version),
    attempt: call.attempt,
    deadline: call.deadline,
    getRemainingTimeInMillis: () => Math.max(0, call.deadline - Date.now()),
    waitUntil: (promise) => call.waitUntil(promise),
  }
}

/** What an event handler returned, ready to be sent. */
function readAnswer(value) {
  if (value === undefined) return { status: 204, headers: [], body: NOTHING }
  if (value instanceof Response) return readResponse(value)
  if (typeof value?.statusCode === 'number') return readStatusAnswer(value)
  const { type, body } = bodyOf(value)
  return { status: 200, headers: [['content-type', type]], body }
}

/** The answer of API Gateway: `{ statusCode, headers, multiValueHeaders, cookies, body, isBase64Encoded }`. */
function readStatusAnswer({ statusCode, headers, multiValueHeaders, cookies, body, isBase64Encoded }) {
  const pairs = []
  for (const [name, value] of Object.entries({ ...headers, ...multiValueHeaders })) {
    for (const item of Array.isArray(value) ? value : [value]) pairs.push([name.toLowerCase(), String(item)])
  }
  for (const cookie of cookies ?? []) pairs.push(['set-cookie', String(cookie)])
  if (body === undefined || body === null || body === '') return { status: statusCode, headers: pairs, body: NOTHING }
  const content = isBase64Encoded ? { type: BYTES, body: Buffer.from(String(body), 'base64') } : bodyOf(body)
  if (!pairs.some(([name]) => name === 'content-type')) pairs.push(['content-type', content.type])
  return { status: statusCode, headers: pairs, body: content.body }
}

function bodyOf(value) {
  if (typeof value === 'string') return { type: TEXT, body: value }
  if (value instanceof Uint8Array) return { type: BYTES, body: Buffer.from(value) }
  if (value instanceof ReadableStream) return { type: BYTES, body: value }
  if (typeof value?.[Symbol.asyncIterator] === 'function') return { type: BYTES, body: ReadableStream.from(value) }
  const text = JSON.stringify(value)
  if (text !== undefined) return { type: JSON_TYPE, body: text }
  throw new TypeError(`a handler returns what JSON can say, text, bytes or a Response: received a ${typeof value}`)
}

module.exports = { eventOf, contextOf, readAnswer }
