// What must be the same when an Idempotency-Key comes again.
import { createHash } from 'node:crypto'
import type { IncomingMessage } from 'node:http'

import { parseIdempotencyKey } from '#core/idempotency'
import type { IdempotencyKey } from '#core/idempotency'
import { parseDigest } from '#core/ids'
import type { Digest, FunctionName } from '#core/ids'

/** A request that is to be done once. */
export interface KeyedRequest {
  readonly key: IdempotencyKey
  readonly fingerprint: Digest
}

/** Keys are unique among all calls of a function, now or later. */
export function functionScope(name: FunctionName): string {
  return `fn:${name}`
}

/** Undefined without the header. @throws PlatformError `invalid-request` */
export function keyOf({ headers }: IncomingMessage): string | undefined {
  const value = headers['idempotency-key']
  return value === undefined ? undefined : parseIdempotencyKey(String(value))
}

/** Over method, URL and body; headers may differ, as a retry has its own. */
export function fingerprintOf(method: string, url: string, body: Uint8Array): Digest {
  return parseDigest(createHash('sha256').update(`${method} ${url}\n`).update(body).digest('hex'))
}
