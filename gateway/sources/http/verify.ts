// Whether a webhook was signed by someone who has the secret. Pure; the comparison takes the same time wherever two
// signatures differ.
import { createHmac, timingSafeEqual } from 'node:crypto'
import type { IncomingHttpHeaders } from 'node:http'

import { PlatformError } from '#core/errors'

import { KEY_PREFIX, type HookOptions } from './options.ts'

export interface SignedRequest {
  readonly headers: IncomingHttpHeaders
  /** As it came, byte for byte. */
  readonly body: Uint8Array
}

/** @param now ms since the epoch @throws PlatformError `invalid-signature`, saying what was expected */
export function verify(request: SignedRequest, options: HookOptions, now: number): void {
  switch (options.verify) {
    case 'none':
      return
    case 'github':
      return verifyBody(request, { ...options, header: 'x-hub-signature-256', prefix: 'sha256=', encoding: 'hex' })
    case 'hmac':
      return verifyBody(request, options)
    case 'stripe':
      return verifyStripe(request, options, now)
    case 'standard-webhooks':
      return verifyStandard(request, options, now)
    default:
      return options.verify satisfies never
  }
}

type BodyOptions = Pick<HookOptions, 'secrets' | 'header' | 'prefix' | 'encoding'>

function verifyBody({ headers, body }: SignedRequest, { secrets, header, prefix, encoding }: BodyOptions): void {
  const value = headerOf(headers, header)
  if (!value.startsWith(prefix)) throw refused(`${header} to begin with ${prefix}`)
  const given = Buffer.from(value.slice(prefix.length), encoding)
  const matches = anySecret(secrets, (secret) => isSame(given, hmac(secret, body)))
  if (!matches) throw refused(`${header} to be the HMAC of the body with a secret of the trigger`)
}

/** `t=1700000000,v1=<hex>,v1=<hex>`: over the time, a dot and the body. */
function verifyStripe({ headers, body }: SignedRequest, { secrets, toleranceS }: HookOptions, now: number): void {
  const pairs = headerOf(headers, 'stripe-signature')
    .split(',')
    .map((pair) => pair.trim().split('='))
  const time = pairs.find(([name]) => name === 't')?.[1] ?? ''
  checkTime('t of stripe-signature', time, { toleranceS, now })
  const given = pairs.filter(([name]) => name === 'v1').map(([, value = '']) => Buffer.from(value, 'hex'))
  const signed = Buffer.concat([Buffer.from(`${time}.`), body])
  const matches = anySecret(secrets, (secret) => anySame(given, hmac(secret, signed)))
  if (!matches) throw refused('a v1 of stripe-signature to be the HMAC of the time and the body')
}

/** `webhook-signature: v1,<base64> v1,<base64>`: over id, time and body, with dots between. */
function verifyStandard({ headers, body }: SignedRequest, { secrets, toleranceS }: HookOptions, now: number): void {
  const id = headerOf(headers, 'webhook-id')
  const time = headerOf(headers, 'webhook-timestamp')
  checkTime('webhook-timestamp', time, { toleranceS, now })
  const given = headerOf(headers, 'webhook-signature')
    .split(' ')
    .filter((part) => part.startsWith('v1,'))
    .map((part) => Buffer.from(part.slice('v1,'.length), 'base64'))
  const signed = Buffer.concat([Buffer.from(`${id}.${time}.`), body])
  const matches = anySecret(secrets, (secret) => anySame(given, hmac(keyOf(secret), signed)))
  if (!matches) throw refused('a v1 of webhook-signature to be the HMAC of the id, the time and the body')
}

/** Without one it is refused before anything is computed. */
function headerOf(headers: IncomingHttpHeaders, name: string): string {
  const value = headers[name.toLowerCase()]
  if (typeof value === 'string' && value !== '') return value
  throw refused(`the header ${name}`)
}

function checkTime(
  what: string,
  text: string,
  { toleranceS, now }: { readonly toleranceS: number; readonly now: number },
): void {
  const awayS = /^\d{1,12}$/.test(text) ? Math.abs(now / 1000 - Number(text)) : Infinity
  if (awayS > toleranceS) throw refused(`${what} to be within ${toleranceS} s of now`)
}

/** All are tried, so that the time taken does not say which one it was. */
function anySecret(secrets: readonly string[], matches: (secret: string) => boolean): boolean {
  return secrets.map(matches).includes(true)
}

function anySame(given: readonly Buffer[], expected: Buffer): boolean {
  return given.map((each) => isSame(each, expected)).includes(true)
}

function isSame(given: Buffer, expected: Buffer): boolean {
  return given.length === expected.length && timingSafeEqual(given, expected)
}

function hmac(key: string | Buffer, data: Uint8Array): Buffer {
  return createHmac('sha256', key).update(data).digest()
}

/** `whsec_` and base64, as Standard Webhooks has them; anything else is taken as it is. */
function keyOf(secret: string): string | Buffer {
  return secret.startsWith(KEY_PREFIX) ? Buffer.from(secret.slice(KEY_PREFIX.length), 'base64') : secret
}

/** Never what was received: it is no business of whoever guesses. */
function refused(expected: string): PlatformError {
  return new PlatformError('invalid-signature', { detail: `expected ${expected}` })
}
