// The seam to where it is kept which requests were made before, by their Idempotency-Key. Implemented in store/.
// After the IETF draft "The Idempotency-Key HTTP Header Field".
import { PlatformError } from './errors.ts'
import type { Digest, InvocationId } from './ids.ts'
import type { HeaderList } from './invocation.ts'

/** What the first request was answered, kept byte for byte. */
export interface StoredResponse {
  readonly status: number
  readonly headers: HeaderList
  readonly body: Uint8Array
}

export interface IdempotencyKey {
  /** What the key is unique in: `fn:<name>`, `trg:<name>`, … */
  readonly scope: string
  readonly key: string
}

export type Begun =
  /**
   * The caller does it now, and ends with `finish`, `abandon` or `doubt`. `before`: someone began it as this invocation
   * and died, or was in doubt whether it was done; whoever begins after it is told so too, until `finish` or `abandon`.
   */
  | { readonly kind: 'first'; readonly before?: InvocationId }
  /** It is under way, as this invocation. */
  | { readonly kind: 'running'; readonly invocation: InvocationId }
  /** It is done. */
  | { readonly kind: 'done'; readonly invocation: InvocationId; readonly response: StoredResponse }
  /** The key was used with another request. */
  | { readonly kind: 'mismatch'; readonly invocation: InvocationId }

export interface IdempotencyStore {
  /**
   * @param fingerprint over what must be the same when the key is: method, target, body
   * @throws PlatformError `store-unavailable`, here and below
   */
  begin(key: IdempotencyKey, fingerprint: Digest, invocation: InvocationId): Promise<Begun>
  /**
   * Many at once, as `begin`, one answer each: for the events of a source, whose ids are keys.
   */
  beginMany(
    items: readonly { readonly key: IdempotencyKey; readonly fingerprint: Digest; readonly invocation: InvocationId }[],
  ): Promise<readonly Begun[]>
  /** Keeps the response for later requests, for as long as keys are kept. */
  finish(key: IdempotencyKey, response: StoredResponse): Promise<void>
  /**
   * It was not done after all, for instance refused with 429: the next request is the first again.
   * @returns false when it took so long that the key is no longer the caller's: someone else may go on with the invocation
   */
  abandon(key: IdempotencyKey): Promise<boolean>
  /** It is not known whether it was done: the next request is the first again, and is told so by `before`. */
  doubt(key: IdempotencyKey): Promise<void>
  /**
   * Resolves when it is no longer `running`, with what it is then (`first`: it was abandoned, or its process died or was in doubt, and
   * now it is the caller's). Rejects with the signal's reason.
   */
  settled(key: IdempotencyKey, fingerprint: Digest, invocation: InvocationId, signal: AbortSignal): Promise<Begun>
}

const KEY = /^[\x21-\x7e]{1,255}$/

/** The value of an Idempotency-Key header, quoted (as in the draft) or not. @throws PlatformError `invalid-request` */
export function parseIdempotencyKey(value: string): string {
  const quoted = /^"((?:[^"\\]|\\["\\])*)"$/.exec(value.trim())
  const key = quoted?.[1] === undefined ? value.trim() : quoted[1].replaceAll(/\\(.)/g, '$1')
  if (KEY.test(key)) return key
  throw new PlatformError('invalid-request', {
    detail: `Idempotency-Key must be 1 to 255 printable ASCII characters without spaces: received ${JSON.stringify(value.slice(0, 80))}`,
  })
}
