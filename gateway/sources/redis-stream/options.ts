// The fields of a trigger on a Redis stream.
import type { OptionsOf, SourceFields } from '../fields.ts'
import { checkRedis, REDIS_FIELDS } from './connection.ts'

const NAME = /^\P{Cc}{1,512}$/u

export const FIELDS = {
  ...REDIS_FIELDS,
  stream: {
    type: 'text',
    pattern: NAME,
    expected: 'the key of a stream',
    default: '',
    required: true,
    description: 'The stream, made when it is not there.',
  },
  group: {
    type: 'text',
    pattern: NAME,
    expected: 'the name of a consumer group',
    default: '',
    description: 'The consumer group, made when it is not there; empty: hearth-<trigger>.',
  },
  start: {
    type: 'text',
    pattern: /^(?:all|new|\d{1,20}(?:-\d{1,20})?)$/,
    expected: '`all`, `new` or the id of an entry',
    default: 'all',
    description:
      'Where a new group begins: all that is in the stream, what comes from now on, or what is after this entry.',
  },
  field: {
    type: 'text',
    pattern: NAME,
    expected: 'the name of a field',
    default: '',
    description:
      'The field that is the data of the event; empty, or not in an entry: all its fields, as a JSON object.',
  },
  claimAfterMs: {
    type: 'integer',
    minimum: 0,
    maximum: 86_400_000,
    default: 0,
    description: 'Takes over what other consumers of the group have left unacknowledged for so long, ms; 0: never.',
  },
  delete: {
    type: 'flag',
    default: false,
    description: 'Whether entries are deleted once they are acknowledged. Other groups of the stream then miss them.',
  },
} as const satisfies SourceFields

export type RedisStreamOptions = OptionsOf<typeof FIELDS>

/** @throws PlatformError `invalid-trigger` */
export function checkOptions(options: RedisStreamOptions): void {
  checkRedis(options)
}
