// When a schedule is due, and what is to be done about what was missed. Pure: now is an argument.
import { CronExpressionParser, type CronExpression } from 'cron-parser'

import { parseDuration } from '#core/duration'

import type { ScheduleOptions } from './options.ts'

type When = Pick<ScheduleOptions, 'cron' | 'timeZone' | 'every' | 'at'>

/** What is later than this was missed; less is the delay of a timer, or of another process that takes over. */
export const GRACE_MS = 30_000
/** Most missed runs that are made up for. */
export const MAX_CATCH_UP = 100
const HALF_HOUR_MS = 1_800_000
const MAX_GAP_MS = 6 * HALF_HOUR_MS
/** Clocks are set back by less, everywhere and always. */
const SET_BACK_MS = 3 * 3_600_000
const FIRST_WINDOW_MS = 60_000

/** The first time after `after`, ms since the epoch; undefined: there is none. */
export function nextDue(when: When, after: number): number | undefined {
  for (const time of timesAfter(when, after)) return time
  return undefined
}

function* timesAfter(when: When, after: number): Generator<number> {
  const { every, at } = when
  const interval = parseDuration(every)
  if (at !== '') {
    if (Date.parse(at) > after) yield Date.parse(at)
  } else if (interval === undefined) {
    yield* timesOfCron(when, after)
  } else {
    for (let time = (Math.floor(after / interval) + 1) * interval; ; time += interval) yield time
  }
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
    for (const time of timesAfter(when, from)) {
      if (time > now) break
      times.push(time)
    }
    if (times.length >= most || from === last) return times.slice(-most)
  }
}

/**
 * Where the clocks were just set back, the parser must not begin among the hours that are there twice: it would take the
 * second of two equal times for one that is still to come.
 */
function* timesOfCron(when: When, after: number): Generator<number> {
  const before = after - SET_BACK_MS
  const wasSetBack = offsetOf(when.timeZone, before) > offsetOf(when.timeZone, after)
  const expression = parseAt(when, wasSetBack ? before : after)
  for (;;) {
    const time = expression.next().getTime()
    if (time > after) yield time
  }
}

/** The parser gives up at some changes of the clock (that of Lord Howe, of half an hour): then from after it. */
function parseAt({ cron, timeZone }: When, from: number): CronExpression {
  for (let start = from; ; start += HALF_HOUR_MS) {
    try {
      CronExpressionParser.parse(cron, { tz: timeZone, currentDate: new Date(start) }).next()
      return CronExpressionParser.parse(cron, { tz: timeZone, currentDate: new Date(start) })
    } catch (error) {
      if (start > from + MAX_GAP_MS) throw error
    }
  }
}

/** Minutes ahead of UTC. */
function offsetOf(timeZone: string, at: number): number {
  const format = new Intl.DateTimeFormat('en', { timeZone, timeZoneName: 'longOffset' })
  const name = format.formatToParts(at).find(({ type }) => type === 'timeZoneName')?.value ?? ''
  const [, sign, hours, minutes] = /([+-])(\d+):(\d+)/.exec(name) ?? []
  return (sign === '-' ? -1 : 1) * (Number(hours ?? 0) * 60 + Number(minutes ?? 0))
}
