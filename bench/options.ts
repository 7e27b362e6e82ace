// The command line of the benchmarks.
import { parseArgs } from 'node:util'

export const SUITE_NAMES = ['warm', 'cold', 'burst', 'starts', 'crowd', 'density', 'async', 'fairness'] as const
export type SuiteName = (typeof SUITE_NAMES)[number]

export interface Options {
  /** Rounds; a figure is the median of one value per round. */
  readonly runs: number
  /** Length of one throughput measurement. */
  readonly seconds: number
  /** First calls per function that `cold` measures, in all rounds together. */
  readonly calls: number
  /** Idle functions that `density` deploys. */
  readonly functions: number
  readonly suites: readonly SuiteName[]
  readonly json: string | undefined
}

export const USAGE = `npm run bench -- [--runs N] [--seconds N] [--calls N] [--functions N] [--only ${SUITE_NAMES.join('|')}]… [--json FILE]`
export const PEERS_USAGE = 'npm run bench:peers -- [--runs N] [--seconds N] [--json FILE]'

/** What both commands take. */
const COMMON = {
  runs: { type: 'string', default: '5' },
  seconds: { type: 'string', default: '3' },
  json: { type: 'string' },
} as const

/** @throws TypeError with a message for the user */
export function readOptions(args: readonly string[]): Options {
  const { values } = parseArgs({
    args: [...args],
    options: {
      ...COMMON,
      calls: { type: 'string', default: '200' },
      functions: { type: 'string', default: '10000' },
      only: { type: 'string', multiple: true, default: [] },
    },
  })
  const only = values.only.map((name) => {
    const suite = SUITE_NAMES.find((each) => each === name)
    if (suite === undefined) throw new TypeError(`--only must be one of ${SUITE_NAMES.join(', ')}: received ${name}`)
    return suite
  })
  return {
    runs: positive('--runs', values.runs),
    seconds: positive('--seconds', values.seconds),
    calls: positive('--calls', values.calls),
    functions: positive('--functions', values.functions, 100_000),
    suites: only.length === 0 ? SUITE_NAMES : only,
    json: values.json,
  }
}

function positive(name: string, value: string, most = 1000): number {
  const number = Number(value)
  if (Number.isSafeInteger(number) && number > 0 && number <= most) return number
  throw new TypeError(`${name} must be an integer in [1, ${most}]: received ${value}`)
}

/** @throws TypeError with a message for the user */
export function readPeerOptions(args: readonly string[]): Pick<Options, 'runs' | 'seconds' | 'json'> {
  const { values } = parseArgs({ args: [...args], options: COMMON })
  return { runs: positive('--runs', values.runs), seconds: positive('--seconds', values.seconds), json: values.json }
}
