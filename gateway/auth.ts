// The admin token: whether a request carries it.
import { hash, timingSafeEqual } from 'node:crypto'

import { PlatformError } from '#core/errors'

/** Whether an Authorization header carries the token. */
export type TokenCheck = (authorization: string | undefined) => boolean

export function tokenCheck(token: string): TokenCheck {
  // Digests have one length, so that neither the content nor the length of the token leaks through the time taken.
  const expected = digest(token)
  return (authorization) => {
    const given = /^bearer +(\S+) *$/i.exec(authorization ?? '')?.[1]
    return given !== undefined && timingSafeEqual(digest(given), expected)
  }
}

export function unauthorized(authorization: string | undefined): PlatformError {
  const received = authorization === undefined ? 'no Authorization header' : 'another token'
  return new PlatformError('unauthorized', { detail: `expected "Authorization: Bearer <token>": received ${received}` })
}

function digest(text: string): Buffer {
  return hash('sha256', text, 'buffer')
}
