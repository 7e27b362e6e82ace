// The fields of a trigger on NATS JetStream.
import { invalidField, type OptionsOf, type SourceFields } from '../fields.ts'
import { checkTls, TLS_FIELDS } from '../tls.ts'

const NAME = /^[^\s.*>/\\]{1,255}$/

export const FIELDS = {
  url: {
    type: 'url',
    protocols: ['nats', 'tls'],
    default: '',
    required: true,
    description: 'nats://[user:password@]host[:port], or tls://…; nats://:token@host for a token.',
  },
  stream: {
    type: 'text',
    pattern: NAME,
    expected: 'the name of a JetStream stream',
    default: '',
    required: true,
    description: 'The JetStream stream; it must be there.',
  },
  subject: {
    type: 'text',
    pattern: /^[^\s]{1,255}$/,
    expected: 'a subject; wildcards are * and >',
    default: '>',
    description: 'Only messages of this subject, such as orders.*; > is all of the stream.',
  },
  durable: {
    type: 'text',
    pattern: NAME,
    expected: 'the name of a durable consumer',
    default: '',
    description: 'The durable consumer, made when it is not there; empty: hearth-<trigger>.',
  },
  start: {
    type: 'choice',
    choices: ['all', 'new', 'last'],
    default: 'all',
    description: 'Where a new consumer begins: all that is in the stream, what comes from now on, or the last message.',
  },
  credentials: {
    type: 'text',
    pattern: /^(?:[\s\S]*-----BEGIN NATS USER JWT-----[\s\S]+|SU[A-Z2-7]{56}\s*)$/,
    expected: 'the text of a .creds file, or the seed of a user nkey (SU…)',
    default: '',
    secret: true,
    description: 'The text of a .creds file, or the seed of a user nkey.',
  },
  ...TLS_FIELDS,
} as const satisfies SourceFields

export type NatsOptions = OptionsOf<typeof FIELDS>

/** @throws PlatformError `invalid-trigger` */
export function checkOptions(options: NatsOptions): void {
  checkTls(options, 'tls:')
  const { url, credentials } = options
  const { username, password } = new URL(url)
  // A user is shown, a password is not.
  if (username !== '' && password === '') {
    throw invalidField('source.url', 'with user:password@, or :token@ for a token, before the host')
  }
  if (credentials !== '' && password !== '') {
    throw invalidField('source.credentials', 'empty when source.url has a password or token')
  }
}
