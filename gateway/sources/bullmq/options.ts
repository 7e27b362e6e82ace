// The fields of a trigger on a BullMQ queue.
import type { OptionsOf, SourceFields } from '../fields.ts'
import { checkRedis, REDIS_FIELDS } from '../redis-stream/connection.ts'

export const FIELDS = {
  ...REDIS_FIELDS,
  queue: {
    type: 'text',
    // BullMQ makes keys of it.
    pattern: /^[^:\p{Cc}]{1,255}$/u,
    expected: 'the name of a queue, without a colon',
    default: '',
    required: true,
    description: 'The queue.',
  },
  prefix: {
    type: 'text',
    pattern: /^\P{Cc}{1,255}$/u,
    expected: 'a prefix of keys',
    default: 'bull',
    description: 'The prefix that producers use.',
  },
  removeCompleted: {
    type: 'flag',
    default: false,
    description: 'Whether a job is removed once it is taken over, where its own removeOnComplete does not say.',
  },
} as const satisfies SourceFields

export type BullmqOptions = OptionsOf<typeof FIELDS>

/** @throws PlatformError `invalid-trigger` */
export function checkOptions(options: BullmqOptions): void {
  checkRedis(options)
}
