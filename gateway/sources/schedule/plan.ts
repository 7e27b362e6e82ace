// When a schedule is due, and what is to be done about what was missed. Pure: now is an argument.
import { CronExpressionParser } from 'cron-parser'

import { parseDuration } from '#core/duration'

import type { ScheduleOptions } from './options.ts'

type When = Pick<ScheduleOptions, 'cron' | 'timeZone' | 'every' | 'at'>

/** What is later than this was missed; less is the delay of a timer, or of another process that takes over. */
export const GRACE_MS = 30_000
/** Most missed runs that are made up for. */
export const MAX_CATCH_UP = 100
const HALF_HOUR_MS = 1_800_000
const FIRST_WINDOW_MS = 60_000

/** The first time after `after`, ms since the epoch; undefined: there is none. */
export function nextDue(when: When, after: number): number | undefined {
  const { every, at } = when
  if (at !== '') return Date.parse(at) > after ? Date.parse(at) : undefined
  const interval = parseDuration(every)
  return interval === undefined ? nextOfCron(when, after) : (Math.floor(after / interval) + 1) * interval
}

/**
 * The times to run now, oldest first.
 * @param last the last one that was dealt with
 */
export function dueNow(options: ScheduleOptions, last: number, now: number): readonly number[] {
  const times = newestDue(options, { last, now, most: options.missed === 'all' ? MAX_CATCH_UP : 1 })
  return options.missed === 'skip' ? times.filter((time) => now - time <= GRACE_MS) : times
}

/** Looks back in growing steps: from the last one it could be a walk through years of seconds. */
function newestDue(
  when: When,
  { last, now, most }: { readonly last: number; readonly now: number; readonly most: number },
): readonly number[] {
  for (let windowMs = FIRST_WINDOW_MS; ; windowMs *= 4) {
    const from = Math.max(last, now - windowMs)
    const times: number[] = []
    for (let time = nextDue(when, from); time !== undefined && time <= now; time = nextDue(when, time)) times.push(time)
    if (times.length >= most || from === last) return times.slice(-most)
  }
}

/** The parser gives up at some changes of the clock (that of Lord Howe, of half an hour): then from after it. */
function nextOfCron({ cron, timeZone }: When, after: number): number {
  for (let from = after; ; from += HALF_HOUR_MS) {
    try {
      return CronExpressionParser.parse(cron, { tz: timeZone, currentDate: new Date(from) })
        .next()
        .getTime()
    } catch (error) {
      if (from > after + 6 * HALF_HOUR_MS) throw error
    }
  }
}
