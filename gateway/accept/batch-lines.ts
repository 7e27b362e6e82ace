// Reads the lines of a batch.
import { isUtf8 } from 'node:buffer'
import { validateHeaderName, validateHeaderValue } from 'node:http'

import { PlatformError } from '#core/errors'
import type { FunctionVersion } from '#core/function'
import { parseIdempotencyKey } from '#core/idempotency'
import type { FunctionName } from '#core/ids'
import type { HeaderList } from '#core/invocation'
import { checkBodySize, checkHeaders } from '#core/limits'
import type { RequestLimits } from '#core/limits'
import type { QueuedInvocation } from '#core/queue'

import { fingerprintOf, functionScope } from '../idempotency/fingerprint.ts'
import type { KeyedRequest } from '../idempotency/fingerprint.ts'
import { isPassedOn } from '../invoke/headers.ts'
import { parseOptions } from './options.ts'
import { queuedInvocation } from './queued.ts'

const LINE_FEED = 10
const SPACE = 32
/** A body in base64 and what surrounds it. */
const PER_BODY_BYTE = 4 / 3
const SLACK_BYTES = 64 * 1024

export interface BatchLimits extends RequestLimits {
  /** Bytes of the body of one line. */
  readonly maxAsyncBodyBytes: number
}

/**
 * The lines of a body that are not blank.
 * @throws PlatformError `payload-too-large` when the body or a line is
 */
export async function* readLines(body: AsyncIterable<Buffer>, limits: BatchLimits): AsyncGenerator<Buffer> {
  const maxLineBytes = limits.maxAsyncBodyBytes * PER_BODY_BYTE + limits.maxHeaderBytes + SLACK_BYTES
  let rest: Buffer[] = []
  let [restBytes, bytes] = [0, 0]
  for await (const chunk of body) {
    bytes += chunk.length
    checkBodySize(bytes, limits)
    let start = 0
    for (let end = chunk.indexOf(LINE_FEED); end >= 0; end = chunk.indexOf(LINE_FEED, start)) {
      const line = joined(rest, chunk.subarray(start, end))
      if (!isBlank(line)) yield line
      rest = []
      restBytes = 0
      start = end + 1
    }
    rest.push(chunk.subarray(start))
    restBytes += chunk.length - start
    if (restBytes > maxLineBytes) throw lineTooLong(limits)
  }
  const last = joined(rest, Buffer.alloc(0))
  if (!isBlank(last)) yield last
}

function joined(rest: readonly Buffer[], end: Buffer): Buffer {
  return rest.length === 0 ? end : Buffer.concat([...rest, end])
}

function isBlank(line: Buffer): boolean {
  return !line.some((byte) => byte > SPACE)
}

/** A line that is right. */
export interface BatchLine {
  readonly invocation: QueuedInvocation
  /** When it has a key. */
  readonly keyed: KeyedRequest | undefined
}

export interface BatchTarget {
  readonly version: FunctionVersion
  readonly origin: string
  /** ms since the epoch */
  readonly now: number
  readonly limits: BatchLimits
}

/** @throws PlatformError */
export function readLine(line: Buffer, { version, origin, now, limits }: BatchTarget): BatchLine {
  // Replaced characters would be another body.
  if (!isUtf8(line)) throw invalid('a line must be UTF-8: received other bytes')
  const text = line.toString('utf8').trim()
  const { body, bodyBase64, headers, idempotencyKey, ...options } = parseLine(text)
  const { target, ...wanted } = parseOptions(options, version.spec, now)
  const bytes = bodyOf(body, bodyBase64)
  checkBytes(bytes.length, limits.maxAsyncBodyBytes)
  const list = headersOf(headers)
  checkHeaders(list, limits)
  const request = { method: 'POST', target, origin, headers: list, body: bytes }
  return {
    invocation: queuedInvocation({ version, request, options: wanted }, now),
    keyed: idempotencyKey === undefined ? undefined : keyedOf(idempotencyKey, version.function, text),
  }
}

function parseLine(text: string): Readonly<Record<string, unknown>> {
  try {
    const line: unknown = JSON.parse(text)
    if (typeof line === 'object' && line !== null && !Array.isArray(line)) return line as Record<string, unknown>
  } catch {}
  throw invalid(`a line must be a JSON object: received ${JSON.stringify(text.slice(0, 80))}`)
}

function bodyOf(body: unknown, bodyBase64: unknown): Uint8Array {
  if (body !== undefined && bodyBase64 !== undefined) throw invalid('expected body or bodyBase64: received both')
  if (typeof bodyBase64 === 'string' && isBase64(bodyBase64)) return Buffer.from(bodyBase64, 'base64')
  if (bodyBase64 !== undefined) throw invalid(`bodyBase64 must be base64: received ${shown(bodyBase64)}`)
  if (body === undefined) return new Uint8Array(0)
  if (typeof body === 'string') return Buffer.from(body)
  throw invalid(`body must be text: received ${shown(body)}`)
}

function isBase64(text: string): boolean {
  return text.length % 4 === 0 && /^[A-Za-z0-9+/]*={0,2}$/.test(text)
}

function headersOf(headers: unknown): HeaderList {
  if (headers === undefined) return []
  if (typeof headers !== 'object' || headers === null || Array.isArray(headers)) {
    throw invalid(`headers must be an object of texts: received ${shown(headers)}`)
  }
  return Object.entries(headers).flatMap(([key, value]: [string, unknown]) => {
    const name = key.toLowerCase()
    try {
      validateHeaderName(name)
      validateHeaderValue(name, value as string)
      if (typeof value === 'string') return isPassedOn(name) ? [[name, value] as const] : []
    } catch {}
    throw invalid(`headers must be an object of texts that can be sent: received ${shown({ [key]: value })}`)
  })
}

function keyedOf(key: unknown, name: FunctionName, text: string): KeyedRequest {
  if (typeof key !== 'string') throw invalid(`idempotencyKey must be text: received ${shown(key)}`)
  return {
    key: { scope: functionScope(name), key: parseIdempotencyKey(key) },
    fingerprint: fingerprintOf('BATCH', name, Buffer.from(text)),
  }
}

function checkBytes(bytes: number, limit: number): void {
  if (bytes <= limit) return
  throw new PlatformError('payload-too-large', {
    detail: `a body has at most ${limit} bytes (HEARTH_MAX_ASYNC_BODY_BYTES): received ${bytes}`,
    members: { limit },
  })
}

function lineTooLong({ maxAsyncBodyBytes }: BatchLimits): PlatformError {
  return new PlatformError('payload-too-large', {
    detail: `a line has a body of at most ${maxAsyncBodyBytes} bytes (HEARTH_MAX_ASYNC_BODY_BYTES): received a longer one`,
    members: { limit: maxAsyncBodyBytes },
  })
}

function invalid(detail: string): PlatformError {
  return new PlatformError('invalid-request', { detail })
}

function shown(value: unknown): string {
  return JSON.stringify(value).slice(0, 200)
}
