// What the command line says about a call that is to go through the queue.
import { parseDuration } from '#core/duration'

import { textValue, type Option, type Values } from './command.ts'
import { usageError } from './exit.ts'

export const LATER_OPTIONS = {
  delay: { type: 'string', value: 'TIME', description: 'Not to be run before so long: 30s, 10m, 2h.' },
  'run-at': { type: 'string', value: 'WHEN', description: 'Not to be run before: 2026-12-24T18:00:00Z.' },
  priority: { type: 'string', value: '0-9', description: 'Higher ones of the function come first. Default: 0.' },
  'max-age': { type: 'string', value: 'TIME', description: 'Ends as expired when it could not start for so long.' },
  'max-attempts': { type: 'string', value: 'N', description: 'Tries, the first included.' },
} as const satisfies Record<string, Option>

/** Parameters of the API; those that are a duration become ms. */
const PARAMETERS = {
  delay: 'delayMs',
  'run-at': 'runAt',
  priority: 'priority',
  'max-age': 'maxAgeMs',
  'max-attempts': 'maxAttempts',
} as const satisfies Record<keyof typeof LATER_OPTIONS, string>

/** Whether one of the options is given: they all mean the queue. */
export function isLater(values: Values): boolean {
  return Object.keys(LATER_OPTIONS).some((name) => values[name] !== undefined)
}

/** @throws CliError when a duration is none; the rest is checked by the server */
export function laterQuery(values: Values): URLSearchParams {
  const query = new URLSearchParams()
  for (const [option, parameter] of Object.entries(PARAMETERS)) {
    const text = textValue(values, option)
    if (text !== undefined) query.set(parameter, parameter.endsWith('Ms') ? String(durationMs(option, text)) : text)
  }
  return query
}

function durationMs(option: string, text: string): number {
  const ms = parseDuration(text)
  if (ms !== undefined) return ms
  throw usageError(`--${option} must be a duration such as 500ms, 30s, 10m or 2h: received ${JSON.stringify(text)}`)
}
