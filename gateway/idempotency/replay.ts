// Answers from what was stored under an Idempotency-Key.
import type { ServerResponse } from 'node:http'

import type { PlatformError } from '#core/errors'
import type { StoredResponse } from '#core/idempotency'
import type { HeaderList } from '#core/invocation'

import { problemResponse } from '../problem.ts'

/** Tells an answer that was given before from the first one. */
export const REPLAY_HEADER = 'hearth-idempotent-replay'

/** The answer of the platform, to be stored. @param headers of the call */
export function storedProblem(error: PlatformError, id: string, headers: HeaderList): StoredResponse {
  const problem = problemResponse(error, id)
  return {
    status: error.status,
    headers: [...Object.entries(problem.headers), ...headers],
    body: Buffer.from(problem.body),
  }
}

/** Status, headers and body as they were, and one header more. */
export function sendStored(res: ServerResponse, { status, headers, body }: StoredResponse): void {
  if (res.destroyed) return
  const bodiless = status === 204 || status === 304 || res.req.method === 'HEAD'
  const declares = bodiless && status !== 204
  const flat = headers.filter(([name]) => declares || name !== 'content-length').flat()
  flat.push(REPLAY_HEADER, 'true')
  if (!bodiless) flat.push('content-length', String(body.length))
  res.writeHead(status, flat)
  if (bodiless) res.end()
  else res.end(body)
}
