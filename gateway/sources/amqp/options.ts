// The fields of a trigger on RabbitMQ.
import { invalidField, type OptionsOf, type SourceFields } from '../fields.ts'
import { checkTls, TLS_FIELDS } from '../tls.ts'

const NAME = /^\P{Cc}{1,255}$/u

export const FIELDS = {
  url: {
    type: 'url',
    protocols: ['amqp', 'amqps'],
    default: '',
    required: true,
    description: 'amqp://user:password@host[:port][/vhost], or amqps://…; without a user it is guest.',
  },
  queue: {
    type: 'text',
    pattern: NAME,
    expected: 'the name of a queue',
    default: '',
    required: true,
    description: 'The queue.',
  },
  declare: {
    type: 'choice',
    choices: ['no', 'classic', 'quorum'],
    default: 'no',
    description: 'Whether the queue is made, durable and of this type, when it is not there; no: it must be.',
  },
  exchange: {
    type: 'text',
    pattern: NAME,
    expected: 'the name of an exchange',
    default: '',
    description: 'Binds the queue to this exchange, which must be there; empty: bindings are left alone.',
  },
  routingKeys: {
    type: 'list',
    pattern: /^.{0,255}$/su,
    expected: 'a list of routing keys of at most 255 characters',
    default: [],
    description: 'With exchange: the keys that the queue is bound with; none: the empty key.',
  },
  ...TLS_FIELDS,
} as const satisfies SourceFields

export type AmqpOptions = OptionsOf<typeof FIELDS>

/** @throws PlatformError `invalid-trigger` */
export function checkOptions(options: AmqpOptions): void {
  checkTls(options, 'amqps:')
  const { url, exchange, routingKeys } = options
  if (new URL(url).search !== '') throw invalidField('source.url', 'without a query')
  if (exchange !== '' || routingKeys.length === 0) return
  throw invalidField('source.exchange', 'given where there are routingKeys', exchange)
}
