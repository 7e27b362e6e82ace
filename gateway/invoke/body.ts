// The body of a request to a function: small ones are collected, the others stream.
import type { IncomingMessage } from 'node:http'

import { PlatformError } from '#core/errors'
import type { Body } from '#core/invocation'
import { checkBodySize } from '#core/limits'
import type { RequestLimits } from '#core/limits'
import type { StopSource } from '#core/stop-signal'

import { clientGone } from '../running.ts'

/** Up to here a body comes with the call in one piece: cheaper than a stream, and most bodies are smaller. */
const WHOLE_BYTES = 64 * 1024
const EMPTY = new Uint8Array(0)

/**
 * The body of a request; streams are read while the function runs.
 * @param bytes how many it has; undefined when that is not known
 * @param stop aborted when a stream turns out to be over the limit; the stream then fails with the same error
 * @throws PlatformError `payload-too-large`; `cancelled` when the client went away
 */
export function requestBody(
  req: IncomingMessage,
  bytes: number | undefined,
  { limits, stop }: { readonly limits: RequestLimits; readonly stop: StopSource },
): Body | Promise<Uint8Array> {
  if (bytes === 0) return EMPTY
  if (bytes === undefined) return limited(req, limits, stop)
  checkBodySize(bytes, limits)
  return bytes <= WHOLE_BYTES ? collect(req) : limited(req, limits, stop)
}

async function* limited(req: IncomingMessage, limits: RequestLimits, stop: StopSource): AsyncGenerator<Uint8Array> {
  let bytes = 0
  try {
    // Not destroyed when the function stops reading: that would close the connection under the response.
    for await (const chunk of req.iterator({ destroyOnReturn: false })) {
      bytes += (chunk as Buffer).length
      checkBodySize(bytes, limits)
      yield chunk as Buffer
    }
  } catch (error) {
    if (error instanceof PlatformError) stop.abort(error)
    throw error
  } finally {
    // What nobody wants still has to be read, or the next request on the connection is never seen.
    req.resume()
  }
}

/**
 * All of a body.
 * @param tooLarge what to throw when it has more than `limit` bytes: at least so many
 * @throws PlatformError `cancelled` when the client went away
 */
export function wholeBody(
  req: IncomingMessage,
  limit: number,
  tooLarge: (bytes: number) => PlatformError,
): Promise<Uint8Array> {
  const declared = Number(req.headers['content-length'] ?? 0)
  if (declared > limit) return Promise.reject(tooLarge(declared))
  return new Promise((resolve, reject) => {
    let chunks: Buffer[] = []
    let bytes = 0
    req.on('data', (chunk: Buffer) => {
      bytes += chunk.length
      if (bytes <= limit) {
        chunks.push(chunk)
      } else {
        chunks = []
        reject(tooLarge(bytes))
      }
    })
    req.on('end', () => resolve(chunks.length < 2 ? (chunks[0] ?? EMPTY) : Buffer.concat(chunks)))
    req.on('error', () => reject(clientGone()))
  })
}

/**
 * A body as it comes, for those who read all of it before they begin.
 * @throws PlatformError `cancelled` when the client went away
 */
export async function* chunksOf(req: IncomingMessage): AsyncGenerator<Buffer> {
  try {
    yield* req.iterator({ destroyOnReturn: false })
  } catch {
    throw clientGone()
  }
}

/** Ends the reading of a body when its call is over, however far it came. */
export function releaseBody(body: Body): void {
  if (!(body instanceof Uint8Array)) void (body as AsyncGenerator<Uint8Array>).return(undefined)
}

function collect(req: IncomingMessage): Promise<Uint8Array> {
  return new Promise((resolve, reject) => {
    let body: Buffer | undefined
    req.on('data', (chunk: Buffer) => {
      body = body === undefined ? chunk : Buffer.concat([body, chunk])
    })
    req.once('end', () => resolve(body ?? EMPTY))
    req.once('error', () => reject(clientGone()))
  })
}
