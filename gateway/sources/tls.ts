// The fields of sources that can be reached over TLS, and what clients make of them.
import { invalidField, type OptionsOf, type SourceFields } from './fields.ts'

const CERTIFICATE = /^-----BEGIN (?:TRUSTED )?CERTIFICATE-----\s[\s\S]+-----END (?:TRUSTED )?CERTIFICATE-----\s*$/
const KEY = /^-----BEGIN [A-Z ]*PRIVATE KEY-----\s[\s\S]+-----END [A-Z ]*PRIVATE KEY-----\s*$/

export const TLS_FIELDS = {
  tlsCa: {
    type: 'text',
    pattern: CERTIFICATE,
    expected: 'certificates as PEM text',
    default: '',
    description: 'Certificates that are trusted, as PEM text; empty: those that Node.js trusts.',
  },
  tlsCertificate: {
    type: 'text',
    pattern: CERTIFICATE,
    expected: 'a certificate as PEM text',
    default: '',
    description: 'Certificate of the client, as PEM text, where the broker asks for one.',
  },
  tlsKey: {
    type: 'text',
    pattern: KEY,
    expected: 'a private key as PEM text, without a passphrase',
    default: '',
    secret: true,
    description: 'Its private key, as PEM text.',
  },
} as const satisfies SourceFields

/** @param protocol of source.url that is TLS, as in `amqps:`  @throws PlatformError `invalid-trigger` */
export function checkTls(options: OptionsOf<typeof TLS_FIELDS> & { readonly url: string }, protocol: string): void {
  const { url, tlsCa, tlsCertificate, tlsKey } = options
  if ((tlsCertificate === '') !== (tlsKey === '')) {
    throw invalidField('source.tlsKey', 'given together with source.tlsCertificate')
  }
  const isUsed = tlsCa !== '' || tlsKey !== ''
  if (isUsed && new URL(url).protocol !== protocol) {
    throw invalidField(
      'source.url',
      `a URL of ${protocol} where there are fields for TLS`,
      `one of ${new URL(url).protocol}`,
    )
  }
}

/** For node:tls; empty when no field is given. */
export function tlsOptions(fields: OptionsOf<typeof TLS_FIELDS>): { ca?: string; cert?: string; key?: string } {
  const { tlsCa, tlsCertificate, tlsKey } = fields
  return {
    ...(tlsCa === '' ? {} : { ca: tlsCa }),
    ...(tlsCertificate === '' ? {} : { cert: tlsCertificate }),
    ...(tlsKey === '' ? {} : { key: tlsKey }),
  }
}
