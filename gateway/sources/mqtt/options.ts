// The fields of a trigger on an MQTT 5.0 broker.
import { invalidField, type OptionsOf, type SourceFields } from '../fields.ts'
import { checkTls, TLS_FIELDS } from '../tls.ts'

const WEEK_S = 604_800

export const FIELDS = {
  url: {
    type: 'url',
    protocols: ['mqtt', 'mqtts'],
    default: '',
    required: true,
    description: 'mqtt://[user:password@]host[:port], or mqtts://….',
  },
  topics: {
    type: 'list',
    // Levels, with + for one and # for all that follow.
    pattern: /^(?:\$share\/[^/+#\0]+\/(?=.)|(?!\$share(?:\/|$)))(?:(?:\+|[^+#\0/]*)\/)*(?:\+|#|[^+#\0/]*)$(?<=.)/u,
    expected: 'a list of topic filters; wildcards are + and, at the end, #',
    default: [],
    required: true,
    description: 'What is subscribed to, such as sensors/+/temperature; $share/<group>/… shares it with other clients.',
  },
  qos: {
    type: 'choice',
    choices: ['1', '2'],
    default: '1',
    description: 'The highest quality of service that messages come with; it is never above that of their publisher.',
  },
  clientId: {
    type: 'text',
    pattern: /^[^\0]{1,128}$/u,
    expected: 'a client id of at most 128 characters',
    default: '',
    description: 'What the broker knows the session by, so no other client may have it; empty: hearth-<trigger>.',
  },
  sessionExpiryS: {
    type: 'integer',
    minimum: 60,
    maximum: 4_294_967_295,
    default: WEEK_S,
    description: 'How long the broker keeps messages while nobody is connected, s; 4294967295: for ever.',
  },
  retained: {
    type: 'choice',
    choices: ['ignore', 'once', 'always'],
    default: 'once',
    description: 'Retained messages that are there: not sent, sent when first subscribed, or after every connecting.',
  },
  ...TLS_FIELDS,
} as const satisfies SourceFields

export type MqttOptions = OptionsOf<typeof FIELDS>

/** @throws PlatformError `invalid-trigger` */
export function checkOptions(options: MqttOptions): void {
  checkTls(options, 'mqtts:')
  const { topics } = options
  if (topics.length === 0) throw invalidField('source.topics', 'a list of at least one topic filter', topics)
}
