// The command line of the trace replay.
import { parseArgs } from 'node:util'

import type { TraceShape } from './generate.ts'
import type { LiveSpan } from './live/live.ts'

export interface Options {
  /** Traces, of the seeds 1, 2 …; a figure is the median of one value per trace. */
  readonly runs: number
  readonly shape: TraceShape
  /** Also print where cold starts and waste come from. */
  readonly profile: boolean
  /** Replayed through a platform; undefined: the replay is in virtual time. */
  readonly live: LiveSpan | undefined
  readonly json: string | undefined
}

export const USAGE =
  'npm run bench:trace -- [--runs N] [--apps N] [--days N] [--unit app|function] [--profile] [--json FILE]\n' +
  '       npm run bench:trace -- --live [--hours N] [--minutes N] [--apps N] [--days N] [--json FILE]'

const SHAPE = { apps: '1500', days: '14' }
/** A week that the platform has learned from, and the day of which the last hours are called live. */
const LIVE_SHAPE = { apps: '60', days: '8' }
const MOST_LIVE_APPS = 500
/** Of an app, live: more often it is never cold but at first, whatever the policy, and only loads the machine. */
const LIVE_CALLS_PER_DAY = 1440

/** @throws TypeError with a message for the user */
export function readOptions(args: readonly string[]): Options {
  const { values } = parseArgs({
    args: [...args],
    options: {
      runs: { type: 'string', default: '5' },
      apps: { type: 'string' },
      days: { type: 'string' },
      unit: { type: 'string', default: 'app' },
      live: { type: 'boolean', default: false },
      hours: { type: 'string', default: '6' },
      minutes: { type: 'string', default: '4' },
      profile: { type: 'boolean', default: false },
      json: { type: 'string' },
    },
  })
  const { unit, live } = values
  if (unit !== 'app' && unit !== 'function') throw new TypeError(`--unit must be app or function: received ${unit}`)
  const { apps, days } = live ? LIVE_SHAPE : SHAPE
  const shape: TraceShape = {
    apps: whole('--apps', values.apps ?? apps, live ? MOST_LIVE_APPS : 100_000),
    days: whole('--days', values.days ?? days, 100),
    ...(live ? { unit: 'app', mostCallsPerDay: LIVE_CALLS_PER_DAY } : { unit }),
  }
  return {
    runs: whole('--runs', values.runs, 100),
    shape,
    profile: values.profile,
    live: live
      ? { hours: whole('--hours', values.hours, 24), minutes: whole('--minutes', values.minutes, 24 * 60) }
      : undefined,
    json: values.json,
  }
}

function whole(name: string, value: string, most: number): number {
  const number = Number(value)
  if (Number.isSafeInteger(number) && number > 0 && number <= most) return number
  throw new TypeError(`${name} must be an integer in [1, ${most}]: received ${value}`)
}
