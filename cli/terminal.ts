// Where a command reads and writes: the one place that knows about standard streams, colours and Ctrl-C.
import picocolors from 'picocolors'

export interface Terminal {
  readonly env: Readonly<Record<string, string | undefined>>
  readonly cwd: string
  /** Results: what a pipe should get. */
  readonly out: (data: string | Uint8Array) => void
  /** Everything else: progress, advice, errors. */
  readonly err: (text: string) => void
  /** Standard input to its end, as it came. */
  readonly input: () => Promise<Uint8Array>
  /** For standard output and for standard error; plain when that is not a terminal or NO_COLOR is set. */
  readonly outColors: Colors
  readonly errColors: Colors
  /** Standard error is a terminal: lines may be rewritten in place. */
  readonly live: boolean
  /** Aborts on Ctrl-C. */
  readonly signal: AbortSignal
}

export type Colors = ReturnType<typeof picocolors.createColors>

export function processTerminal(signal: AbortSignal): Terminal {
  const { env } = process
  return {
    env,
    cwd: process.cwd(),
    out: (data) => void process.stdout.write(data),
    err: (text) => void process.stderr.write(text),
    input: async () => Buffer.concat(await process.stdin.toArray()),
    outColors: colorsFor(process.stdout.isTTY, env),
    errColors: colorsFor(process.stderr.isTTY, env),
    live: process.stderr.isTTY && env.TERM !== 'dumb',
    signal,
  }
}

export function colorsFor(isTerminal: boolean | undefined, env: Terminal['env']): Colors {
  const forced = env.FORCE_COLOR !== undefined && env.FORCE_COLOR !== '0'
  // isTTY is undefined on a pipe, and createColors(undefined) would decide by itself: in favour of colours under CI.
  const terminal = Boolean(isTerminal) && env.TERM !== 'dumb'
  return picocolors.createColors(!env.NO_COLOR && (forced || terminal))
}
