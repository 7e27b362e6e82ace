import { describe, expect, it } from 'vitest'

import { checkOptions, type ScheduleOptions } from '#gateway/sources/schedule/options'
import { dueNow, MAX_CATCH_UP, nextDue } from '#gateway/sources/schedule/plan'

const NONE: ScheduleOptions = { cron: '', timeZone: 'UTC', every: '', at: '', missed: 'once', data: '' }

function cron(expression: string, timeZone = 'UTC', missed: ScheduleOptions['missed'] = 'once'): ScheduleOptions {
  return { ...NONE, cron: expression, timeZone, missed }
}

/** The first times after `from`. */
function times(options: ScheduleOptions, from: string, count: number): string[] {
  const found: string[] = []
  let time = nextDue(options, Date.parse(from))
  while (time !== undefined && found.length < count) {
    found.push(new Date(time).toISOString())
    time = nextDue(options, time)
  }
  return found
}

describe('nextDue', () => {
  it.each<[name: string, options: ScheduleOptions, from: string, expected: string[]]>([
    [
      'every minute',
      cron('* * * * *'),
      '2026-01-01T00:00:30Z',
      ['2026-01-01T00:01:00.000Z', '2026-01-01T00:02:00.000Z'],
    ],
    [
      'with seconds',
      cron('*/20 * * * * *'),
      '2026-01-01T00:00:00Z',
      ['2026-01-01T00:00:20.000Z', '2026-01-01T00:00:40.000Z'],
    ],
    ['on weekdays', cron('0 9 * * 1-5'), '2026-01-02T10:00:00Z', ['2026-01-05T09:00:00.000Z']],
    ['in a zone', cron('0 9 * * *', 'Asia/Kolkata'), '2026-01-01T00:00:00Z', ['2026-01-01T03:30:00.000Z']],
    ['on 29 February', cron('0 0 29 2 *'), '2026-01-01T00:00:00Z', ['2028-02-29T00:00:00.000Z']],
    [
      'in an interval',
      { ...NONE, every: '90s' },
      '2026-01-01T00:00:00Z',
      ['2026-01-01T00:01:30.000Z', '2026-01-01T00:03:00.000Z'],
    ],
    ['once', { ...NONE, at: '2026-06-01T12:00:00+02:00' }, '2026-01-01T00:00:00Z', ['2026-06-01T10:00:00.000Z']],
    ['never again', { ...NONE, at: '2026-06-01T12:00:00+02:00' }, '2026-06-01T10:00:00Z', []],
  ])('is right %s', (_, options, from, expected) => {
    expect(times(options, from, Math.max(1, expected.length))).toEqual(expected)
  })

  it.each<[name: string, options: ScheduleOptions, from: string, expected: string[]]>([
    [
      'a time that does not exist is due an hour later by the clock, once',
      cron('30 2 * * *', 'Europe/Berlin'),
      '2026-03-28T12:00:00Z',
      ['2026-03-29T01:30:00.000Z', '2026-03-30T00:30:00.000Z'],
    ],
    [
      'a time that exists twice is due at the first of the two only',
      cron('30 2 * * *', 'Europe/Berlin'),
      '2026-10-24T12:00:00Z',
      ['2026-10-25T00:30:00.000Z', '2026-10-26T01:30:00.000Z'],
    ],
    [
      'what is due every half hour is due in both of the hours that are alike',
      cron('*/30 * * * *', 'Europe/Berlin'),
      '2026-10-24T23:45:00Z',
      [
        '2026-10-25T00:00:00.000Z',
        '2026-10-25T00:30:00.000Z',
        '2026-10-25T01:00:00.000Z',
        '2026-10-25T01:30:00.000Z',
        '2026-10-25T02:00:00.000Z',
      ],
    ],
    [
      'what is due every half hour skips the hour that there is not',
      cron('*/30 * * * *', 'Europe/Berlin'),
      '2026-03-29T00:15:00Z',
      ['2026-03-29T00:30:00.000Z', '2026-03-29T01:00:00.000Z', '2026-03-29T01:30:00.000Z'],
    ],
    [
      'an interval knows nothing of it',
      { ...NONE, every: '1h' },
      '2026-03-29T00:00:00Z',
      ['2026-03-29T01:00:00.000Z', '2026-03-29T02:00:00.000Z'],
    ],
    [
      'where it is half an hour, the parser gives up, and the day after is right all the same',
      cron('10 2 * * *', 'Australia/Lord_Howe'),
      '2026-04-05T12:00:00Z',
      ['2026-04-05T15:40:00.000Z'],
    ],
  ])('when the clocks change: %s', (_, options, from, expected) => {
    expect(times(options, from, expected.length)).toEqual(expected)
  })
})

function at(time: string): number {
  return Date.parse(`2026-01-01T${time}Z`)
}

function iso(list: readonly number[]): string[] {
  return list.map((time) => new Date(time).toISOString().slice(11, 19))
}

describe('dueNow', () => {
  const NOON = Date.parse('2026-01-01T12:00:00Z')

  it('is nothing before the time', () => {
    expect(dueNow(cron('0 * * * *'), NOON, NOON + 1000)).toEqual([])
  })

  it.each<[missed: ScheduleOptions['missed'], expected: string[]]>([
    ['skip', ['15:00:00']],
    ['once', ['15:00:00']],
    ['all', ['13:00:00', '14:00:00', '15:00:00']],
  ])('with %s, a bit after a time and with two missed before it, is %j', (missed, expected) => {
    expect(iso(dueNow(cron('0 * * * *', 'UTC', missed), NOON, at('15:00:05')))).toEqual(expected)
  })

  it.each<[missed: ScheduleOptions['missed'], expected: string[]]>([
    ['skip', []],
    ['once', ['15:00:00']],
    ['all', ['13:00:00', '14:00:00', '15:00:00']],
  ])('with %s, long after the last of three missed ones, is %j', (missed, expected) => {
    expect(iso(dueNow(cron('0 * * * *', 'UTC', missed), NOON, at('15:40:00')))).toEqual(expected)
  })

  it('is the last hundred of very many, without a walk through all of them', () => {
    const yearsAgo = Date.parse('2020-01-01T00:00:00Z')
    const due = dueNow(cron('* * * * * *', 'UTC', 'all'), yearsAgo, NOON)
    expect(due).toHaveLength(MAX_CATCH_UP)
    expect([due[0], due.at(-1)]).toEqual([NOON - (MAX_CATCH_UP - 1) * 1000, NOON])
    expect(dueNow({ ...NONE, every: '1s' }, yearsAgo, NOON)).toEqual([NOON])
  })

  it('finds a rare one that was missed long ago', () => {
    const due = dueNow(cron('0 0 29 2 *'), Date.parse('2023-01-01T00:00:00Z'), NOON)
    expect(due).toEqual([Date.parse('2024-02-29T00:00:00Z')])
  })

  it('gives the same times however far it looks back, also where the clocks change', () => {
    const options = cron('*/20 2,3 * * *', 'Europe/Berlin', 'all')
    const from = Date.parse('2026-10-24T12:00:00Z')
    const now = Date.parse('2026-10-26T12:00:00Z')
    const whole = dueNow(options, from, now)
    for (let last = from; last < now; last += 1_800_000) {
      expect(dueNow(options, last, now)).toEqual(whole.filter((time) => time > last))
    }
  })
})

describe('checkOptions', () => {
  it.each<[field: string, options: Partial<ScheduleOptions>]>([
    ['source', {}],
    ['source', { cron: '* * * * *', every: '1m' }],
    ['source.cron', { cron: '61 * * * *' }],
    ['source.cron', { cron: '0 0 30 2 *' }],
    ['source.timeZone', { cron: '* * * * *', timeZone: 'Mars/Olympus' }],
    ['source.every', { every: '500ms' }],
    ['source.at', { at: '2026-13-45T00:00:00Z' }],
  ])('refuses %s: %j', (field, options) => {
    expect(() => checkOptions({ ...NONE, ...options })).toThrow(
      expect.objectContaining({ code: 'invalid-trigger', members: { field } }),
    )
  })

  it('takes a cron expression of 6 fields', () => {
    expect(() => checkOptions(cron('*/5 * * * * *', 'Europe/Berlin'))).not.toThrow()
  })
})
