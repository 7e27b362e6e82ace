// Signs what is posted to URLs, after the Standard Webhooks specification 1.0 (section "Signature scheme"): its
// libraries, and our own http trigger, verify it.
import { createHmac, randomBytes } from 'node:crypto'

import type { HeaderList } from '#core/invocation'

const PREFIX = 'whsec_'

/** @param secret `whsec_` and base64 @param at ms since the epoch */
export function signatureHeaders(secret: string, id: string, body: Uint8Array, at: number): HeaderList {
  const seconds = Math.floor(at / 1000)
  const key = Buffer.from(secret.slice(PREFIX.length), 'base64')
  const signature = createHmac('sha256', key).update(`${id}.${seconds}.`).update(body).digest('base64')
  return [
    ['webhook-id', id],
    ['webhook-timestamp', String(seconds)],
    ['webhook-signature', `v1,${signature}`],
  ]
}

export function newSigningSecret(): string {
  return PREFIX + randomBytes(32).toString('base64')
}
