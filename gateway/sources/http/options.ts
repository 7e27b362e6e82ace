// The fields of a webhook.
import { invalidField, type OptionsOf, type SourceFields } from '../fields.ts'

export const FIELDS = {
  verify: {
    type: 'choice',
    choices: ['none', 'hmac', 'github', 'stripe', 'standard-webhooks'],
    default: 'none',
    description: 'How the signature of a request is checked; hmac: as header, prefix and encoding say.',
  },
  secrets: {
    type: 'list',
    pattern: /^[\x20-\x7e]{8,512}$/,
    expected: 'a list of secrets of 8 to 512 printable ASCII characters',
    default: [],
    secret: true,
    description: 'Any of them may have signed: for rotation. A whsec_ secret of Standard Webhooks as it is.',
  },
  header: {
    type: 'text',
    pattern: /^[A-Za-z0-9-]{1,64}$/,
    expected: 'the name of a header',
    default: 'x-signature',
    description: 'With hmac: the header with the SHA-256 HMAC of the body.',
  },
  prefix: {
    type: 'text',
    pattern: /^[\x21-\x7e]{0,32}$/,
    expected: 'at most 32 printable ASCII characters',
    default: '',
    description: 'With hmac: what stands before the signature, such as sha256=.',
  },
  encoding: {
    type: 'choice',
    choices: ['hex', 'base64'],
    default: 'hex',
    description: 'With hmac: how the signature is written.',
  },
  toleranceS: {
    type: 'integer',
    minimum: 1,
    maximum: 86_400,
    default: 300,
    description: 'With stripe and standard-webhooks: how old, or how far ahead, a signature may be, s.',
  },
  idHeader: {
    type: 'text',
    pattern: /^[A-Za-z0-9-]{1,64}$/,
    expected: 'the name of a header',
    default: '',
    description: 'The header with the id of a delivery; a known id does not run again. The styles have their own.',
  },
  origins: {
    type: 'list',
    pattern: /^(?:\*|[A-Za-z0-9.:[\]-]{1,253})$/,
    expected: 'a list of host names, or *',
    default: [],
    description: 'Who may ask to send CloudEvents, by WebHook-Request-Origin; * is everyone.',
  },
} as const satisfies SourceFields

/** Before a key of Standard Webhooks, which is in base64. */
export const KEY_PREFIX = 'whsec_'
/** As Standard Webhooks wants it. */
const MIN_KEY_BYTES = 24

export type HookOptions = OptionsOf<typeof FIELDS>

/** @throws PlatformError `invalid-trigger` */
export function checkOptions({ verify, secrets }: HookOptions): void {
  if (verify !== 'none' && secrets.length === 0) throw invalidField('source.secrets', `given for ${verify}`, secrets)
  if (verify === 'none' && secrets.length > 0) {
    throw invalidField('source.verify', 'other than none when there are secrets', verify)
  }
  // What is no base64 would be read as a shorter key, or none, which everyone has.
  if (verify === 'standard-webhooks' && !secrets.every(isKey)) {
    throw invalidField('source.secrets', `base64 of at least ${MIN_KEY_BYTES} bytes after whsec_`)
  }
}

function isKey(secret: string): boolean {
  if (!secret.startsWith(KEY_PREFIX)) return true
  const text = secret.slice(KEY_PREFIX.length)
  return /^[A-Za-z0-9+/]+={0,2}$/.test(text) && Buffer.from(text, 'base64').length >= MIN_KEY_BYTES
}
