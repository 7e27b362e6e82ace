// The fields of a schedule.
import { CronExpressionParser } from 'cron-parser'

import { DURATION_PATTERN, parseDuration } from '#core/duration'
import { parseTimestamp } from '#core/timestamp'

import { invalidField, type OptionsOf, type SourceFields } from '../fields.ts'

export const FIELDS = {
  cron: {
    type: 'text',
    pattern: /^\S+(?:\s+\S+){4,5}$/,
    expected: 'a cron expression of 5 fields, or 6 with seconds first',
    default: '',
    description: 'When it is due: minute hour day month weekday, or second first. One of cron, every and at.',
  },
  timeZone: {
    type: 'text',
    pattern: /^[A-Za-z0-9_+/-]{1,64}$/,
    expected: 'an IANA time zone, such as Europe/Berlin',
    default: 'UTC',
    description: 'The time zone that cron is in.',
  },
  every: {
    type: 'text',
    pattern: DURATION_PATTERN,
    expected: 'a duration from 1s, such as 90s, 10m or 2h',
    default: '',
    description: 'Due in this interval, such as 90s or 10m, counted from 1970-01-01T00:00Z.',
  },
  at: {
    type: 'text',
    pattern: /^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}(?::\d{2}(?:\.\d{1,3})?)?(?:Z|[+-]\d{2}:\d{2})$/,
    expected: 'a time with its offset, such as 2026-12-24T18:00:00+01:00',
    default: '',
    description: 'Due once, at this time.',
  },
  missed: {
    type: 'choice',
    choices: ['skip', 'once', 'all'],
    default: 'once',
    description: 'Of runs that were due while nobody could start them: none, one for all, or each (the last 100).',
  },
  data: {
    type: 'text',
    pattern: /^[\s\S]{0,65536}$/,
    expected: 'at most 65536 characters',
    default: '',
    description: 'What the function gets as the data of the event; JSON or text.',
  },
} as const satisfies SourceFields

export type ScheduleOptions = OptionsOf<typeof FIELDS>

/** @throws PlatformError `invalid-trigger` */
export function checkOptions(options: ScheduleOptions): void {
  const { cron, every, at, timeZone } = options
  const given = [cron, every, at].filter((text) => text !== '')
  if (given.length !== 1) throw invalidField('source', 'given exactly one of cron, every and at', given)
  if (!isTimeZone(timeZone)) throw invalidField('source.timeZone', FIELDS.timeZone.expected, timeZone)
  if (every !== '' && (parseDuration(every) ?? 0) < 1000) {
    throw invalidField('source.every', FIELDS.every.expected, every)
  }
  if (at !== '' && parseTimestamp(at) === undefined) throw invalidField('source.at', FIELDS.at.expected, at)
  if (cron !== '') checkCron(cron, timeZone)
}

function checkCron(cron: string, timeZone: string): void {
  try {
    // Also finds one that is never due, such as 30 February.
    CronExpressionParser.parse(cron, { tz: timeZone, currentDate: new Date(0) }).next()
  } catch (error) {
    throw invalidField('source.cron', `${FIELDS.cron.expected}: ${(error as Error).message}`, cron)
  }
}

function isTimeZone(name: string): boolean {
  try {
    new Intl.DateTimeFormat('en', { timeZone: name }).format()
    return true
  } catch {
    return false
  }
}
