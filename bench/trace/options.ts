// The command line of the trace replay.
import { parseArgs } from 'node:util'

import type { TraceShape } from './generate.ts'

export interface Options {
  /** Traces, of the seeds 1, 2 …; a figure is the median of one value per trace. */
  readonly runs: number
  readonly shape: TraceShape
  /** Also print where cold starts and waste come from. */
  readonly profile: boolean
  readonly json: string | undefined
}

export const USAGE =
  'npm run bench:trace -- [--runs N] [--apps N] [--days N] [--unit app|function] [--profile] [--json FILE]'

/** @throws TypeError with a message for the user */
export function readOptions(args: readonly string[]): Options {
  const { values } = parseArgs({
    args: [...args],
    options: {
      runs: { type: 'string', default: '5' },
      apps: { type: 'string', default: '1500' },
      days: { type: 'string', default: '14' },
      unit: { type: 'string', default: 'app' },
      profile: { type: 'boolean', default: false },
      json: { type: 'string' },
    },
  })
  const { unit } = values
  if (unit !== 'app' && unit !== 'function') throw new TypeError(`--unit must be app or function: received ${unit}`)
  return {
    runs: whole('--runs', values.runs, 100),
    shape: { apps: whole('--apps', values.apps, 100_000), days: whole('--days', values.days, 100), unit },
    profile: values.profile,
    json: values.json,
  }
}

function whole(name: string, value: string, most: number): number {
  const number = Number(value)
  if (Number.isSafeInteger(number) && number > 0 && number <= most) return number
  throw new TypeError(`${name} must be an integer in [1, ${most}]: received ${value}`)
}
