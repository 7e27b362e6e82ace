// A terminal that remembers what was written to it.
import picocolors from 'picocolors'

import type { Terminal } from '#cli/terminal'

export interface RecordedTerminal extends Terminal {
  readonly stdout: () => string
  readonly stderr: () => string
}

interface Options {
  readonly env?: Readonly<Record<string, string>>
  readonly cwd?: string
  readonly input?: string
  readonly signal?: AbortSignal
}

export function recordedTerminal({ env = {}, cwd = '/', input = '', signal }: Options = {}): RecordedTerminal {
  const out: Buffer[] = []
  const err: string[] = []
  const plain = picocolors.createColors(false)
  return {
    env,
    cwd,
    out: (data) => void out.push(Buffer.from(data as Uint8Array)),
    err: (text) => void err.push(text),
    input: async () => Buffer.from(input),
    outColors: plain,
    errColors: plain,
    live: false,
    signal: signal ?? new AbortController().signal,
    stdout: () => Buffer.concat(out).toString(),
    stderr: () => err.join(''),
  }
}
