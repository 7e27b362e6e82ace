// The fields of a trigger on PostgreSQL.
import { invalidField, type OptionsOf, type SourceFields } from '../fields.ts'
import { TLS_FIELDS } from '../tls.ts'

const IDENTIFIER = /^[\p{L}_][\p{L}\d_$]{0,62}$/u
const SSL_MODES: readonly (string | null)[] = [null, 'disable', 'no-verify', 'require', 'verify-ca', 'verify-full']
const PARAMETERS: readonly string[] = ['host', 'sslmode']

export const FIELDS = {
  url: {
    type: 'url',
    protocols: ['postgres', 'postgresql'],
    default: '',
    required: true,
    description:
      'postgres://user:password@host[:port]/database, with ?sslmode=require for TLS, no-verify for TLS without a check of the certificate, or ?host=/run/postgresql for a unix socket.',
  },
  table: {
    type: 'text',
    pattern: /^[\p{L}_][\p{L}\d_$]{0,62}(?:\.[\p{L}_][\p{L}\d_$]{0,62})?$/u,
    expected: 'the name of a table, or schema.table',
    default: '',
    description: 'The outbox table, spelled as it is; empty: events are the notifications of the channel.',
  },
  channel: {
    type: 'text',
    pattern: IDENTIFIER,
    expected: 'the name of a channel',
    default: '',
    description:
      'Listens to this channel: a notification says that there are new rows. Empty: rows are found by polling.',
  },
  pollMs: {
    type: 'integer',
    minimum: 100,
    maximum: 3_600_000,
    default: 5000,
    description: 'How often the table is looked at without a notification, ms.',
  },
  idColumn: {
    type: 'text',
    pattern: IDENTIFIER,
    expected: 'the name of a column',
    default: 'id',
    description: 'The primary key, by which rows are ordered.',
  },
  payloadColumn: {
    type: 'text',
    pattern: IDENTIFIER,
    expected: 'the name of a column',
    default: 'payload',
    description: 'The data of the event: json, jsonb, text, bytea, or anything that has a text form.',
  },
  typeColumn: {
    type: 'text',
    pattern: IDENTIFIER,
    expected: 'the name of a column',
    default: '',
    description: 'The type of the event; empty: dev.hearth.postgres.message.',
  },
  timeColumn: {
    type: 'text',
    pattern: IDENTIFIER,
    expected: 'the name of a column',
    default: '',
    description:
      'When the row was made, as the time of the event and for the lag: a timestamp, in UTC if without a zone.',
  },
  processedColumn: {
    type: 'text',
    pattern: IDENTIFIER,
    expected: 'the name of a column',
    default: '',
    description: 'Rows are kept and get the time here, a timestamp that is null until then; empty: they are deleted.',
  },
  ...TLS_FIELDS,
} as const satisfies SourceFields

export type PostgresOptions = OptionsOf<typeof FIELDS>

/** @throws PlatformError `invalid-trigger` */
export function checkOptions(options: PostgresOptions): void {
  const { url, table, channel, tlsCa, tlsCertificate, tlsKey } = options
  if (table === '' && channel === '') throw invalidField('source.table', 'given, or source.channel without it', table)
  const { searchParams } = new URL(url)
  const unknown = [...searchParams.keys()].find((name) => !PARAMETERS.includes(name))
  if (unknown !== undefined) {
    throw invalidField('source.url', `without parameters other than ${PARAMETERS.join(' and ')}`, unknown)
  }
  const mode = searchParams.get('sslmode')
  if (!SSL_MODES.includes(mode)) {
    throw invalidField('source.url', `with an sslmode of ${SSL_MODES.slice(1).join(', ')}`, mode)
  }
  if ((tlsCertificate === '') !== (tlsKey === '')) {
    throw invalidField('source.tlsKey', 'given together with source.tlsCertificate')
  }
  if ((tlsCa !== '' || tlsKey !== '') && !isTls(mode)) {
    throw invalidField('source.url', 'with ?sslmode=require where there are fields for TLS', mode)
  }
}

export function isTls(mode: string | null): boolean {
  return mode !== null && mode !== 'disable'
}
