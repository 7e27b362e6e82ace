// Webhooks: POST /hooks/{trigger} (gateway/routes/hooks.ts).
import type { PushSource } from '../source.ts'
import { checkOptions, FIELDS } from './options.ts'

export const httpSource: PushSource<typeof FIELDS> = {
  kind: 'http',
  delivery: 'push',
  fields: FIELDS,
  defaults: { concurrency: 0 },
  check: checkOptions,
}
